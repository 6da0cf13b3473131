namespace Microsoft.ML.CoLM;

/// <summary>
/// Dynamic NTK scaling (rope type <c>dynamic</c>; by the Reddit users bloc97 and emozilla, described in the YaRN paper, Peng et
/// al. 2023, arXiv 2309.00071): the base of the wavelengths grows with the sequence length once that exceeds the original
/// context.
/// </summary>
/// <remarks>
/// The relevant length is each sequence's own, independent of the rest of its batch. In generation it is the prompt's length
/// for the prompt's tokens, and for each later token the length up to it; what is cached stays as it is.
/// <see cref="CoLMConfig.ContextLength"/> is the original context times the factor, rounded down; <c>config.json</c> stores the
/// original one as <c>max_position_embeddings</c>. Only <see cref="CoLMModel.forward"/> accepts longer sequences, as
/// transformers does: the angles can be computed for any length.
/// </remarks>
public sealed class DynamicRopeScaling : RopeScaling
{
    /// <summary>Creates a scaling.</summary>
    /// <param name="factor">How fast the base grows.</param>
    /// <param name="originalContextLength">The longest sequence, in tokens, that is not scaled.</param>
    public DynamicRopeScaling(double factor, int originalContextLength)
        : base(factor, originalContextLength)
    {
    }

    internal override double ContextOf(int maxPositions) => maxPositions * Factor;

    internal override int MaxPositionsOf(int context) => OriginalContextLength;

    /// <summary>The base of the wavelengths in a sequence.</summary>
    /// <param name="theta">The base in short sequences.</param>
    /// <param name="headWidth">Features of an attention head.</param>
    /// <param name="length">The sequence's tokens.</param>
    internal double Theta(double theta, int headWidth, long length) => length <= OriginalContextLength
        ? theta
        : theta * Math.Pow(Factor * length / OriginalContextLength - (Factor - 1), headWidth / (headWidth - 2.0));

    internal override void Check(CoLMConfig config)
    {
        base.Check(config);
        Require(Factor >= 1, nameof(Factor), Factor, "at least 1");
        RequireContext(config);
        if (config.HeadWidth <= 2)
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"{nameof(DynamicRopeScaling)} needs heads of more than 2 features, found a head dimension of {config.HeadWidth}."));
        }
    }
}
