using Microsoft.ML;
using Microsoft.ML.Data;

namespace ClusterSample.Blocks;

/// <summary>Single values.</summary>
/// <typeparam name="T">Their raw type.</typeparam>
internal sealed class ScalarColumn<T>(DataViewRow? row, DataViewSchema.Column column) : BlockColumn
{
    private readonly ValueGetter<T>? _getter = row?.GetGetter<T>(column);
    private readonly List<T> _values = [];

    public override void Add()
    {
        T value = default!;
        _getter!(ref value);
        // A text may lie in a buffer that its source uses again.
        _values.Add(value is ReadOnlyMemory<char> text ? (T)(object)text.ToString().AsMemory() : value);
    }

    public override Delegate CreateGetter(Func<int> row) =>
        (ValueGetter<T>)((ref T value) => value = _values[row()]);
}
