namespace Microsoft.ML.CoLM.Training;

/// <summary>The seed of an epoch's order, the same in every process.</summary>
internal static class EpochSeed
{
    // System.HashCode differs from process to process.
    public static int Of(int seed, int epoch) => unchecked((seed * (int)2654435761) ^ (epoch * 40503 + 1));
}
