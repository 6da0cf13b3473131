namespace ClusterSample;

/// <summary>Chain counts in messages.</summary>
internal static class ChainCounts
{
    /// <summary>Says what a chain count is; null is what the zip says.</summary>
    public static string Describe(int? chainCount) =>
        chainCount is { } count ? FormattableString.Invariant($"with chain count {count}") : "as the zip says";
}
