using System.Globalization;
using System.Reflection;
using Microsoft.ML.CoLM.Training;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Tells a sweep's rows from others at little cost: by their columns and the first of them.</summary>
internal static class DataDigest
{
    private const int Rows = 100;

    private static readonly MethodInfo GenericReader =
        typeof(DataDigest).GetMethod(nameof(ReaderOf), BindingFlags.Static | BindingFlags.NonPublic)!;

    /// <summary>For example <c>Text: String, Label: Boolean; the first rows are 5feceb66...</c></summary>
    public static string Of(IDataView data)
    {
        DataViewSchema.Column[] columns = [.. data.Schema.Where(column => !column.IsHidden && CanRead(column.Type))];
        using var cursor = data.GetRowCursor(columns);
        var readers = Array.ConvertAll(columns, column =>
            (Func<string>)GenericReader.MakeGenericMethod(column.Type.RawType).Invoke(null, [cursor, column])!);
        var digest = Fingerprint.Of(fingerprint =>
        {
            for (var row = 0; row < Rows && cursor.MoveNext(); row++)
            {
                foreach (var reader in readers)
                    fingerprint.Add(reader());
            }
        });
        var schema = data.Schema.Where(column => !column.IsHidden).Select(column => $"{column.Name}: {column.Type}");
        return $"{string.Join(", ", schema)}; the first rows are {digest}";
    }

    private static bool CanRead(DataViewType type)
    {
        var item = type is VectorDataViewType vector ? vector.ItemType : type;
        return item is TextDataViewType or BooleanDataViewType or NumberDataViewType or KeyDataViewType;
    }

    private static Func<string> ReaderOf<T>(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<T>(column);
        T value = default!;
        return () =>
        {
            getter(ref value);
            return TextOf(value!);
        };
    }

    private static string TextOf(object value) => value switch
    {
        VBuffer<ReadOnlyMemory<char>> texts => ListOf(texts),
        VBuffer<float> numbers => ListOf(numbers),
        VBuffer<double> numbers => ListOf(numbers),
        VBuffer<int> numbers => ListOf(numbers),
        VBuffer<uint> keys => ListOf(keys),
        VBuffer<bool> answers => ListOf(answers),
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => value.ToString() ?? "",
    };

    private static string ListOf<T>(VBuffer<T> values) =>
        string.Join('\n', values.DenseValues().Select(value => TextOf(value!)).Prepend(TextOf(values.Length)));
}
