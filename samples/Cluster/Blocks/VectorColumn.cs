using Microsoft.ML;
using Microsoft.ML.Data;

namespace ClusterSample.Blocks;

/// <summary>Vectors.</summary>
/// <typeparam name="T">The raw type of their items.</typeparam>
internal sealed class VectorColumn<T>(DataViewRow? row, DataViewSchema.Column column) : BlockColumn
{
    private readonly ValueGetter<VBuffer<T>>? _getter = row?.GetGetter<VBuffer<T>>(column);
    private readonly List<VBuffer<T>> _values = [];

    public override void Add()
    {
        // A new one for each row: getters fill again what they are given.
        VBuffer<T> value = default;
        _getter!(ref value);
        _values.Add(value);
    }

    // A copy, for whoever gets a vector may write into it.
    public override Delegate CreateGetter(Func<int> row) =>
        (ValueGetter<VBuffer<T>>)((ref VBuffer<T> value) => _values[row()].CopyTo(ref value));
}
