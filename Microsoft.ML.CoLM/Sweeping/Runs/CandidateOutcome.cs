namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What trying a candidate gave.</summary>
/// <param name="Drafts">Its trials.</param>
/// <param name="TrainingSeconds">Seconds of fitting.</param>
/// <param name="Fitted">The fitted pipeline, where it is wanted; whoever gets it disposes it.</param>
internal sealed record CandidateOutcome(IReadOnlyList<TrialDraft> Drafts, double TrainingSeconds, ITransformer? Fitted)
{
    /// <summary>Whether it is done: what the sweep's end cut short is done anew when it goes on.</summary>
    public bool IsFinal(SweepClock clock) => !clock.IsOver || Drafts.All(draft => draft.State != SweepTrialState.Stopped);
}
