using ClusterSample.Blocks;
using ClusterSample.Commands;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace ClusterSample.Tests;

[TestClass]
public sealed class BlockFormatTests
{
    [TestMethod]
    public void ABlockIsTheSameOnTheOtherSide()
    {
        var mlContext = new MLContext(seed: 1);
        var rows = mlContext.Data.LoadFromEnumerable(
        [
            new Row { Text = "cat", Number = float.NaN, Vector = [0, -0f, float.Epsilon] },
            new Row { Text = "", Number = -0f, Vector = [1, 2, 3] },
            new Row { Text = "dog \ud83d\udc15", Number = float.MinValue, Vector = [0, 0, 0] },
        ]);
        var view = mlContext.Transforms.Conversion.MapValueToKey("Key", "Text").Fit(rows).Transform(rows);
        DataViewSchema.Column[] columns = [.. view.Schema];
        using var cursor = view.GetRowCursor(columns);

        var block = RowBlock.Read(cursor, columns, rowCount: 100);

        Assert.AreEqual(3, block.RowCount);
        Assert.IsNull(ViewComparison.FirstDifference(view, BlockFormat.Read(mlContext, BlockFormat.Write(mlContext, block))));
    }

    [TestMethod]
    public void ATypeThatMLNetCannotSaveIsRefusedByName()
    {
        var mlContext = new MLContext(seed: 1);
        var builder = new DataViewSchema.Builder();
        builder.AddColumn("Odd", new OddType());

        var error = Assert.ThrowsExactly<NotSupportedException>(() => BlockFormat.Check(mlContext, [.. builder.ToSchema()]));
        Assert.Contains("'Odd'", error.Message);
    }

    private sealed class Row
    {
        public string Text { get; set; } = "";

        public float Number { get; set; }

        [VectorType(3)]
        public float[] Vector { get; set; } = [];
    }

    private sealed class OddType() : StructuredDataViewType(typeof(Guid))
    {
        public override bool Equals(DataViewType? other) => other is OddType;
    }
}
