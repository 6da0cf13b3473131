using System.Reflection;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace ClusterSample.Commands;

/// <summary>Compares two views to the bit.</summary>
internal static class ViewComparison
{
    /// <summary>Says where they differ first; null if they are the same.</summary>
    public static string? FirstDifference(IDataView expected, IDataView found)
    {
        if (Describe(expected.Schema) != Describe(found.Schema))
            return $"the columns are {Describe(found.Schema)}, expected {Describe(expected.Schema)}";
        DataViewSchema.Column[] columns = [.. expected.Schema.Where(column => !column.IsHidden)];
        using var expectedRows = expected.GetRowCursor(columns);
        using var foundRows = found.GetRowCursor([.. columns.Select(column => found.Schema[column.Index])]);
        Func<object>[] expectedGetters = [.. columns.Select(column => Getter(expectedRows, column))];
        Func<object>[] foundGetters = [.. columns.Select(column => Getter(foundRows, found.Schema[column.Index]))];
        while (true)
        {
            var (hasExpected, hasFound) = (expectedRows.MoveNext(), foundRows.MoveNext());
            if (hasExpected != hasFound)
                return hasFound ? "there are rows too many" : "rows are missing";
            if (!hasExpected)
                return null;
            for (var i = 0; i < columns.Length; i++)
            {
                if (!AreSame(expectedGetters[i](), foundGetters[i]()))
                {
                    return FormattableString.Invariant($"row {expectedRows.Position} has {columns[i].Name} {foundGetters[i]()}, ") +
                        FormattableString.Invariant($"expected {expectedGetters[i]()}");
                }
            }
        }
    }

    private static string Describe(DataViewSchema schema) => string.Join(", ", schema.Select(column =>
        $"{column.Name}: {column.Type}{(column.IsHidden ? " (hidden)" : "")} {string.Join(' ', column.Annotations.Schema)}"));

    private static Func<object> Getter(DataViewRow row, DataViewSchema.Column column) => (Func<object>)typeof(ViewComparison)
        .GetMethod(nameof(GetterOf), BindingFlags.NonPublic | BindingFlags.Static)!
        .MakeGenericMethod(column.Type.RawType).Invoke(null, [row, column])!;

    private static Func<object> GetterOf<T>(DataViewRow row, DataViewSchema.Column column)
    {
        var getter = row.GetGetter<T>(column);
        T value = default!;
        return () =>
        {
            getter(ref value);
            return value!;
        };
    }

    private static bool AreSame(object expected, object found) => (expected, found) switch
    {
        (float x, float y) => BitConverter.SingleToInt32Bits(x) == BitConverter.SingleToInt32Bits(y),
        (ReadOnlyMemory<char> x, ReadOnlyMemory<char> y) => x.Span.SequenceEqual(y.Span),
        (VBuffer<float> x, VBuffer<float> y) => x.Length == y.Length && x.DenseValues().Zip(y.DenseValues()).All(
            pair => BitConverter.SingleToInt32Bits(pair.First) == BitConverter.SingleToInt32Bits(pair.Second)),
        _ => expected.Equals(found),
    };
}
