namespace Microsoft.ML.CoLM;

public sealed partial class CoLMOperations
{
    /// <summary>Creates a sweep over chain counts and candidates; see <see cref="ChainSweep"/>.</summary>
    public ChainSweep CreateSweep() => new(_mlContext);
}
