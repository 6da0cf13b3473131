namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Ends a trial that takes more memory than it may.</summary>
/// <param name="what">What took it, as a sentence begins.</param>
/// <param name="bytes">How much.</param>
/// <param name="limit">How much is allowed.</param>
internal sealed class TrialRefusedException(string what, long bytes, long limit) : Exception(
    FormattableString.Invariant($"{what} {Megabytes(bytes):F1} MB of memory, and the limit is {Megabytes(limit):F1} MB ") +
    $"({nameof(ChainSweep.SetMaximumMemoryUsageInMegaByte)}).")
{
    public long Bytes => bytes;

    /// <summary>Refuses what is above a limit, where there is one.</summary>
    public static void ThrowIfAbove(long? limit, string what, long bytes)
    {
        if (bytes > limit)
            throw new TrialRefusedException(what, bytes, limit.Value);
    }

    private static double Megabytes(long bytes) => bytes / 1048576.0;
}
