using Microsoft.ML.CoLM.Estimators;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>The chain counts and cascades of a model.</summary>
internal sealed class ModelCandidates : SweepCandidates
{
    private readonly ITransformer _model;
    private readonly ModelTrials _trials;
    private readonly TrialDraft[] _drafts;
    private readonly bool _isOfLanguage;

    public ModelCandidates(SweepPlan plan, ITransformer model)
    {
        _model = model;
        _trials = new(plan, model, [.. plan.Folds.Select(fold => fold.Validation)]);
        _drafts = [.. _trials.Drafts()];
        _isOfLanguage = _trials.Elastic.Settings.Scorer is LanguageModelRowScorer;
    }

    public override bool Check(SweepClock clock)
    {
        using var checking = clock.StartTrial(limit: null);
        try
        {
            _trials.Check(checking);
            return true;
        }
        catch (Exception e) when (clock.IsOver && TrialError.IsCancellation(e))
        {
            return false;
        }
    }

    public override bool Has(int candidate) => candidate <= _drafts.Length;

    public override SweepSettings Settings(int candidate) => new();

    public override string? Refusal(CandidateRecord record) =>
        !Has(record.Candidate) || record.Settings.Count > 0 || record.Trials.Length != 1
            || record.Trials[0].CascadeStopsByLoss == !_isOfLanguage
            ? "a chain count or a cascade of the model, or none" : null;

    public override ChainTrial ToTrial(int candidate, TrialRecord record)
    {
        var trial = record.ToTrial(new(), _isOfLanguage);
        Attach(trial);
        return trial;
    }

    public override void Attach(ChainTrial trial)
    {
        if (trial.State == SweepTrialState.Completed)
            trial.Model = ModelTrials.View(_model, trial.Depth);
    }

    public override CandidateOutcome Try(
        SweepPlan plan, int candidate, TrialClock clock, Func<IReadOnlyList<TrialDraft>, bool> isWanted)
    {
        var draft = _drafts[candidate - 1];
        try
        {
            _trials.Judge(draft, clock, measuresLatency: true, plan.Turn);
        }
        finally
        {
            plan.Turn?.Give();
        }
        return new([draft], TrainingSeconds: 0, Fitted: null);
    }
}
