namespace Microsoft.ML.CoLM;

/// <summary>
/// YaRN (rope type <c>yarn</c>; Peng et al. 2023, arXiv 2309.00071): feature pairs that rotate many times within the original
/// context are kept, those that rotate few times are stretched by the factor, those in between are blended, and the cosines and
/// sines of all angles are multiplied by one number.
/// </summary>
/// <remarks>
/// <see cref="CoLMConfig.ContextLength"/> is at least the original context times the factor: that, or
/// <c>max_position_embeddings</c> of <c>config.json</c> if it is larger.
/// </remarks>
public sealed class YarnRopeScaling : RopeScaling
{
    /// <summary>Creates a scaling with the paper's other settings.</summary>
    /// <param name="factor">How much slowly rotating pairs are stretched.</param>
    /// <param name="originalContextLength">The context length, in tokens, of the original training.</param>
    public YarnRopeScaling(double factor, int originalContextLength)
        : base(factor, originalContextLength)
    {
    }

    /// <summary>The number of rotations within the original context at or above which a pair is kept. Default: 32.</summary>
    public double BetaFast { get; init; } = 32;

    /// <summary>
    /// The number of rotations within the original context at or below which a pair is fully stretched. Default: 1.
    /// </summary>
    public double BetaSlow { get; init; } = 1;

    /// <summary>
    /// The multiplier of cosines and sines; <see langword="null"/> for the paper's 0.1 ln(factor) + 1, or the value that
    /// follows from <see cref="MScale"/> and <see cref="MScaleAllDimensions"/>. Default: null.
    /// </summary>
    public double? AttentionFactor { get; init; }

    /// <summary>
    /// If <see cref="MScaleAllDimensions"/> is also set and <see cref="AttentionFactor"/> is not, the multiplier is (0.1 · this
    /// · ln(factor) + 1) / (0.1 · the other · ln(factor) + 1). Default: null.
    /// </summary>
    public double? MScale { get; init; }

    /// <summary>See <see cref="MScale"/>. Default: null.</summary>
    public double? MScaleAllDimensions { get; init; }

    /// <summary>Whether the pairs where blending begins and ends are rounded to whole numbers. Default: true.</summary>
    public bool Truncate { get; init; } = true;

    internal override double Amplitude
    {
        get
        {
            if (AttentionFactor is { } given)
                return given;
            return MScale is { } scale and not 0 && MScaleAllDimensions is { } all and not 0
                ? Magnitude(scale) / Magnitude(all)
                : Magnitude(1);

            double Magnitude(double scale) => Factor <= 1 ? 1 : 0.1 * scale * Math.Log(Factor) + 1;
        }
    }

    internal override IEnumerable<(string Name, double? Value)> Settings =>
    [
        .. base.Settings, (nameof(BetaFast), BetaFast), (nameof(BetaSlow), BetaSlow),
        (nameof(AttentionFactor), Amplitude), (nameof(Truncate), Truncate ? 1 : 0),
    ];

    // The settings that determine the amplitude are stored in config.json, and rewritten if they change.
    private protected override IEnumerable<(string Name, object? Value)> Given =>
    [
        (nameof(Factor), Factor), (nameof(OriginalContextLength), OriginalContextLength), (nameof(BetaFast), BetaFast),
        (nameof(BetaSlow), BetaSlow), (nameof(AttentionFactor), AttentionFactor), (nameof(MScale), MScale),
        (nameof(MScaleAllDimensions), MScaleAllDimensions), (nameof(Truncate), Truncate),
    ];

    internal override double ContextOf(int maxPositions) => Math.Max(maxPositions, OriginalContextLength * Factor);

    internal override double Scale(double frequency, int pair, CoLMConfig config)
    {
        var width = config.HeadWidth;
        var (low, high) = (PairOf(BetaFast), PairOf(BetaSlow));
        if (Truncate)
            (low, high) = (Math.Floor(low), Math.Ceiling(high));
        (low, high) = (Math.Max(low, 0), Math.Min(high, width - 1));
        if (low == high)
            high += 0.001; // as others do, so that nothing is divided by zero
        var stretched = Math.Clamp((pair - low) / (high - low), 0, 1);
        return frequency / Factor * stretched + frequency * (1 - stretched);

        // The pair that rotates this many times within the original context.
        double PairOf(double turns) =>
            width * Math.Log(OriginalContextLength / (turns * 2 * Math.PI)) / (2 * Math.Log(config.RopeTheta));
    }

    internal override void Check(CoLMConfig config)
    {
        base.Check(config);
        Require(BetaSlow > 0, nameof(BetaSlow), BetaSlow, "a positive number");
        Require(BetaFast >= BetaSlow && double.IsFinite(BetaFast), nameof(BetaFast), BetaFast,
            FormattableString.Invariant($"a number of at least {nameof(BetaSlow)} {BetaSlow}"));
        Require(Amplitude > 0 && double.IsFinite(Amplitude), nameof(AttentionFactor), Amplitude, "a positive number");
        if (config.RopeTheta <= 1)
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"{nameof(YarnRopeScaling)} needs a {nameof(config.RopeTheta)} above 1, found {config.RopeTheta}."));
        }
        if (config.ContextLength < Math.Floor(OriginalContextLength * Factor))
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"{nameof(config.ContextLength)} must be at least {Math.Floor(OriginalContextLength * Factor)}, the {nameof(RopeScaling)}'s original context of {OriginalContextLength} tokens times its factor of {Factor}, found {config.ContextLength}."));
        }
    }
}
