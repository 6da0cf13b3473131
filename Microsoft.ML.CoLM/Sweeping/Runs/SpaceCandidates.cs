namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>The candidates of a space, in the order of its search.</summary>
internal sealed class SpaceCandidates(SweepPlan plan) : SweepCandidates
{
    private readonly IEnumerator<SweepSettings> _search = plan.Search.Candidates(plan.Space).GetEnumerator();
    private readonly List<SweepSettings> _known = [];
    private readonly Lock _gate = new();

    public override bool Check(SweepClock clock) => true;

    public override bool Has(int candidate)
    {
        lock (_gate)
        {
            while (_known.Count < candidate && _search.MoveNext())
                _known.Add(_search.Current);
            return candidate <= _known.Count;
        }
    }

    public override SweepSettings Settings(int candidate)
    {
        if (!Has(candidate))
            throw new ArgumentOutOfRangeException(nameof(candidate));
        lock (_gate)
            return _known[candidate - 1];
    }

    public override string? Refusal(CandidateRecord record)
    {
        if (!Has(record.Candidate))
            return "none";
        var settings = Settings(record.Candidate);
        var texts = settings.Texts();
        return record.Settings.Count != texts.Count
            || record.Settings.Any(value => !texts.TryGetValue(value.Key, out var text) || text != value.Value)
            ? settings.Describe() : null;
    }

    public override ChainTrial ToTrial(int candidate, TrialRecord record) =>
        record.ToTrial(Settings(candidate), plan.Objective.IsOfLanguage);

    public override CandidateOutcome Try(
        SweepPlan plan, int candidate, TrialClock clock, Func<IReadOnlyList<TrialDraft>, bool> isWanted)
    {
        var run = new CandidateRun(plan, Settings(candidate), clock, isWanted);
        var fitted = run.Run();
        return new(run.Drafts, run.TrainingSeconds, fitted);
    }

    public override void Dispose()
    {
        _search.Dispose();
        base.Dispose();
    }
}
