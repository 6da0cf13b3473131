using Microsoft.ML;
using Microsoft.ML.Data;

namespace ClusterSample.Blocks;

/// <summary>A column's values in the rows of a block.</summary>
internal abstract class BlockColumn
{
    /// <summary>An empty column.</summary>
    /// <param name="row">Where values are read; null if none are.</param>
    /// <param name="column">The row's column.</param>
    public static BlockColumn Create(DataViewRow? row, DataViewSchema.Column column)
    {
        var kind = column.Type is VectorDataViewType ? typeof(VectorColumn<>) : typeof(ScalarColumn<>);
        var type = column.Type is VectorDataViewType vector ? vector.ItemType.RawType : column.Type.RawType;
        return (BlockColumn)Activator.CreateInstance(kind.MakeGenericType(type), row, column)!;
    }

    /// <summary>Adds the value of the row that is being read.</summary>
    public abstract void Add();

    /// <summary>Gets the value of the row that <paramref name="row"/> says.</summary>
    public abstract Delegate CreateGetter(Func<int> row);
}
