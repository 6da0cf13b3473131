namespace Benchmarks;

/// <summary>
/// The time of a data-parallel step on paper: a rank's own step, and an exchange in which every rank sends its share of each
/// bucket to all others and gets the sums of theirs.
/// </summary>
/// <param name="StepMilliseconds">One rank's step by itself: forward, backward and the optimizer, which every rank runs in full.</param>
/// <param name="Megabytes">The gradients that a rank gives to the exchange.</param>
internal readonly record struct ScalingModel(double StepMilliseconds, double Megabytes)
{
    // The communicator's.
    private const double BucketMegabytes = (32 << 20) / 1e6;
    private const int PhasesOfBucket = 2;

    /// <summary>The exchange among ranks.</summary>
    /// <param name="ranks">How many, each with a link of its own.</param>
    /// <param name="gigabits">What is reached of a link's rate, in a second and direction.</param>
    /// <param name="delayMilliseconds">A link's delay, one way.</param>
    /// <param name="copyMilliseconds">What a megabyte costs without any link: copies in memory and the additions.</param>
    public double ExchangeMilliseconds(int ranks, double gigabits, double delayMilliseconds, double copyMilliseconds)
    {
        if (ranks == 1)
            return 0;
        var sent = 2 * (ranks - 1.0) / ranks * Megabytes;
        var buckets = Math.Ceiling(Megabytes / BucketMegabytes);
        return sent * 8 / gigabits + buckets * PhasesOfBucket * delayMilliseconds + Megabytes * copyMilliseconds;
    }

    /// <summary>The share of a step that is not waiting for others: the efficiency of weak scaling.</summary>
    public double Efficiency(int ranks, double gigabits, double delayMilliseconds, double copyMilliseconds) =>
        StepMilliseconds / (StepMilliseconds + ExchangeMilliseconds(ranks, gigabits, delayMilliseconds, copyMilliseconds));
}
