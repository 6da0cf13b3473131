namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What a sweep tries, by number from 1 on: the candidates of a space, or a model's chain counts and cascades.</summary>
internal abstract class SweepCandidates : IDisposable
{
    public static SweepCandidates Of(SweepPlan plan) => plan.Model is { } model ? new ModelCandidates(plan, model) : new SpaceCandidates(plan);

    /// <summary>Refuses rows that cannot be judged by, where that can be told before anything is tried.</summary>
    /// <returns>Whether it came to its end: not where the sweep ended meanwhile.</returns>
    public abstract bool Check(SweepClock clock);

    /// <summary>Whether there is such a candidate.</summary>
    public abstract bool Has(int candidate);

    /// <summary>Its settings; none where a model's chain counts are swept.</summary>
    public abstract SweepSettings Settings(int candidate);

    /// <summary>What a checkpoint's line should have been of, where it is not of this sweep's candidate; else null.</summary>
    public abstract string? Refusal(CandidateRecord record);

    /// <summary>A trial as it is on disk, or came from another rank.</summary>
    public abstract ChainTrial ToTrial(int candidate, TrialRecord record);

    /// <summary>Gives a trial its model, where every process has it.</summary>
    public virtual void Attach(ChainTrial trial)
    {
    }

    /// <summary>Fits and judges a candidate; whatever goes wrong with it is in its trials.</summary>
    public abstract CandidateOutcome Try(
        SweepPlan plan, int candidate, TrialClock clock, Func<IReadOnlyList<TrialDraft>, bool> isWanted);

    public virtual void Dispose()
    {
    }
}
