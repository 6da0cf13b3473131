using System.Globalization;
using System.Numerics;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A label that says which choice is right.</summary>
internal static class AnswerColumn
{
    /// <summary>Reads the answers: numbers, or a key's numbers; NaN where one is missing.</summary>
    /// <param name="row">The row.</param>
    /// <param name="column">The label.</param>
    /// <exception cref="ArgumentException">The column's type is no number's.</exception>
    public static Func<double> GetterOf(DataViewRow row, DataViewSchema.Column column)
    {
        if (column.Type is KeyDataViewType)
            return KeyGetter(row, column);
        if (column.Type is not NumberDataViewType)
            throw WrongType(column);
        var read = RowCursorUtils.GetGetterAs<double>(NumberDataViewType.Double, row, column.Index);
        double answer = 0;
        return () =>
        {
            read(ref answer);
            return answer;
        };
    }

    // A key counts values in the order in which they were found: it is they that say which choice is meant.
    private static Func<double> KeyGetter(DataViewRow row, DataViewSchema.Column column)
    {
        var values = KeyValues(column);
        var read = RowCursorUtils.GetGetterAs<ulong>(new KeyDataViewType(typeof(ulong), column.Type.GetKeyCount()), row, column.Index);
        ulong key = 0;
        return () =>
        {
            read(ref key);
            return key == 0 ? double.NaN : values is null ? key - 1 : values[(int)key - 1];
        };
    }

    private static double[]? KeyValues(DataViewSchema.Column column)
    {
        if (column.Annotations.Schema.GetColumnOrNull(AnnotationUtils.Kinds.KeyValues) is not { } values)
            return null;
        var type = values.Type.GetItemType().RawType;
        return type == typeof(int) ? Numbers<int>()
            : type == typeof(long) ? Numbers<long>()
            : type == typeof(float) ? Numbers<float>()
            : throw WrongType(column);

        double[] Numbers<T>()
            where T : INumber<T>
        {
            VBuffer<T> numbers = default;
            column.GetKeyValues(ref numbers);
            return [.. numbers.DenseValues().Select(double.CreateChecked)];
        }
    }

    private static ArgumentException WrongType(DataViewSchema.Column column) => new(string.Create(CultureInfo.InvariantCulture,
        $"Column '{column.Name}' must be a number, which says which choice is right, counted from 0, or a key of numbers, ") +
        $"found {column.Type}.");
}
