using System.Reflection;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Reads a column of any type, a row after the other.</summary>
internal abstract class ColumnReader
{
    /// <summary>A reader of a cursor's column.</summary>
    public static ColumnReader Of(DataViewRow row, DataViewSchema.Column column) => (ColumnReader)Activator.CreateInstance(
        typeof(Typed<>).MakeGenericType(column.Type.RawType), BindingFlags.Instance | BindingFlags.Public, binder: null,
        [row, column], culture: null)!;

    /// <summary>Computes the current row's value, and forgets it.</summary>
    public abstract void Touch();

    /// <summary>The current row's value; null where it is missing, as an empty text and NaN are.</summary>
    public abstract object? Read();

    /// <summary>Keeps the current row's value behind those that are kept already.</summary>
    public abstract void Keep();

    /// <summary>The values that were kept, an array of the column's type.</summary>
    /// <param name="order">Which of them, in this order.</param>
    public abstract Array Kept(int[] order);

    private sealed class Typed<T>(DataViewRow row, DataViewSchema.Column column) : ColumnReader
    {
        private readonly ValueGetter<T> _getter = row.GetGetter<T>(column);
        private readonly List<T> _kept = [];
        private T _value = default!;

        public override void Touch() => _getter(ref _value);

        public override object? Read()
        {
            Touch();
            return _value switch
            {
                ReadOnlyMemory<char> text => text.IsEmpty ? null : text.ToString(),
                float.NaN or double.NaN => null,
                var value => value,
            };
        }

        public override void Keep()
        {
            // A buffer of its own, where the value has one.
            T value = default!;
            _getter(ref value);
            _kept.Add(value);
        }

        public override Array Kept(int[] order) => Array.ConvertAll(order, i => _kept[i]);
    }
}
