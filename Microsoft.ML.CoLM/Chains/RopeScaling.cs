namespace Microsoft.ML.CoLM;

/// <summary>
/// LLaMA 3's frequency scaling of the rotary embedding (rope type <c>llama3</c>): wavelengths beyond the original
/// context are stretched by <paramref name="Factor"/>, short ones are kept, those between are blended.
/// </summary>
/// <param name="Factor">How much long wavelengths are stretched.</param>
/// <param name="LowFrequencyFactor">Wavelengths above original context / this are stretched in full.</param>
/// <param name="HighFrequencyFactor">Wavelengths below original context / this are left as they are.</param>
/// <param name="OriginalContextLength">The context, in tokens, that the model was first trained with.</param>
public sealed record RopeScaling(
    double Factor, double LowFrequencyFactor, double HighFrequencyFactor, int OriginalContextLength);
