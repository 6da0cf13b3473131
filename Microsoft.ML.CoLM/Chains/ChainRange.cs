namespace Microsoft.ML.CoLM.Chains;

/// <summary>A run of neighbouring chains: <paramref name="First"/> (0-based) and the index after the last.</summary>
/// <remarks>
/// The unit of computation. A forward pass is one range from the first chain on; training behind a frozen prefix is
/// two: the prefix, without gradients, then the rest, which reads the prefix's features.
/// </remarks>
internal readonly record struct ChainRange(int First, int End)
{
    public int Count => End - First;
}
