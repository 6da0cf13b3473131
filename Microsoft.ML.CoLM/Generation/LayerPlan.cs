namespace Microsoft.ML.CoLM.Generation;

/// <summary>For each thread, its part of a layer's matrix products.</summary>
/// <param name="QueryKeyValue">The attention's projections.</param>
/// <param name="Output">Added to the residual.</param>
/// <param name="Gate">The gates.</param>
/// <param name="Up">The same outputs of the up projection.</param>
/// <param name="Down">Added to the residual.</param>
internal sealed record LayerPlan(
    ProductPiece[][] QueryKeyValue, ProductPiece[][] Output, ProductPiece[][] Gate, ProductPiece[][] Up,
    ProductPiece[][] Down)
{
    /// <summary>How often threads wait for each other: after each group of products, and after the attention.</summary>
    public const int Meetings = 5;

    /// <summary>How many weights are read.</summary>
    public long Weights => ProductPiece.Weights(QueryKeyValue) + ProductPiece.Weights(Output) + ProductPiece.Weights(Gate) +
        ProductPiece.Weights(Up) + ProductPiece.Weights(Down);
}
