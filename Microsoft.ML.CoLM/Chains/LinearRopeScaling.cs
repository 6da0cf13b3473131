namespace Microsoft.ML.CoLM;

/// <summary>
/// Position interpolation (rope type <c>linear</c>; Chen et al. 2023, arXiv 2306.15595): all positions are divided by
/// <see cref="RopeScaling.Factor"/>.
/// </summary>
/// <remarks>
/// <see cref="CoLMConfig.ContextLength"/> is the original context times the factor, rounded down; <c>config.json</c> stores the
/// original one as <c>max_position_embeddings</c>.
/// </remarks>
public sealed class LinearRopeScaling : RopeScaling
{
    /// <summary>Creates a scaling.</summary>
    /// <param name="factor">The divisor of positions.</param>
    /// <param name="originalContextLength">The context length, in tokens, of the original training.</param>
    public LinearRopeScaling(double factor, int originalContextLength)
        : base(factor, originalContextLength)
    {
    }

    internal override double ContextOf(int maxPositions) => maxPositions * Factor;

    internal override int MaxPositionsOf(int context) => OriginalContextLength;

    internal override double Scale(double frequency, int pair, CoLMConfig config) => frequency / Factor;

    internal override void Check(CoLMConfig config)
    {
        base.Check(config);
        RequireContext(config);
    }
}
