namespace Microsoft.ML.CoLM;

/// <summary>
/// LLaMA 3.1's scaling (rope type <c>llama3</c>; Grattafiori et al. 2024, arXiv 2407.21783, and its published code):
/// wavelengths beyond the original context are stretched by the factor, short ones are kept, and those in between are blended.
/// </summary>
public sealed class Llama3RopeScaling : RopeScaling
{
    /// <summary>Creates a scaling.</summary>
    /// <param name="factor">How much long wavelengths are stretched.</param>
    /// <param name="lowFrequencyFactor">Wavelengths above original context / this are stretched in full.</param>
    /// <param name="highFrequencyFactor">Wavelengths below original context / this are left as they are.</param>
    /// <param name="originalContextLength">The context length, in tokens, of the original training.</param>
    public Llama3RopeScaling(
        double factor, double lowFrequencyFactor, double highFrequencyFactor, int originalContextLength)
        : base(factor, originalContextLength)
    {
        (LowFrequencyFactor, HighFrequencyFactor) = (lowFrequencyFactor, highFrequencyFactor);
    }

    /// <summary>Wavelengths above original context / this are stretched in full.</summary>
    public double LowFrequencyFactor { get; }

    /// <summary>Wavelengths below original context / this are left as they are.</summary>
    public double HighFrequencyFactor { get; }

    internal override IEnumerable<(string Name, double? Value)> Settings =>
    [
        (nameof(Factor), Factor), (nameof(LowFrequencyFactor), LowFrequencyFactor),
        (nameof(HighFrequencyFactor), HighFrequencyFactor), (nameof(OriginalContextLength), OriginalContextLength),
    ];

    internal override double Scale(double frequency, int pair, CoLMConfig config)
    {
        var wavelength = 2 * Math.PI / frequency;
        var cycles = OriginalContextLength / wavelength;
        if (cycles < LowFrequencyFactor)
            return frequency / Factor;
        if (cycles > HighFrequencyFactor)
            return frequency;
        var kept = (cycles - LowFrequencyFactor) / (HighFrequencyFactor - LowFrequencyFactor);
        return (1 - kept) * frequency / Factor + kept * frequency;
    }

    internal override void Check(CoLMConfig config)
    {
        base.Check(config);
        Require(LowFrequencyFactor > 0, nameof(LowFrequencyFactor), LowFrequencyFactor, "a positive number");
        Require(HighFrequencyFactor > LowFrequencyFactor, nameof(HighFrequencyFactor), HighFrequencyFactor,
            FormattableString.Invariant($"above {nameof(LowFrequencyFactor)} {LowFrequencyFactor}"));
    }
}
