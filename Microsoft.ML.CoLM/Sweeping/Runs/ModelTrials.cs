using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Evaluation;
using TorchSharp;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Scores one fitted pipeline at its chain counts and as cascades; the pipeline stays the caller's.</summary>
internal sealed class ModelTrials
{
    private readonly SweepPlan _plan;
    private readonly ITransformer _model;
    private readonly IReadOnlyList<IDataView> _validations;
    private readonly Dictionary<double, CascadeOptions> _cascades = [];
    private IReadOnlyList<double>?[] _ofAllCounts = [];
    private bool _hasPassed;

    /// <param name="plan">The sweep.</param>
    /// <param name="model">The fitted pipeline.</param>
    /// <param name="validations">Raw rows to judge by, one set for each fold.</param>
    /// <exception cref="ArgumentException">The pipeline has no elastic transformer, or several.</exception>
    public ModelTrials(SweepPlan plan, ITransformer model, params IReadOnlyList<IDataView> validations)
    {
        (_plan, _model, _validations) = (plan, model, validations);
        Elastic = ElasticChain.Find(model);
    }

    public ElasticScoringTransformer Elastic { get; }

    /// <summary>Refuses rows that the model cannot be judged by.</summary>
    /// <exception cref="ArgumentException">The message names the metric, the task and the column.</exception>
    public void Check(TrialClock clock)
    {
        foreach (var validation in _validations)
            _plan.Objective.Check(_model, clock.Stoppable(validation));
    }

    /// <summary>What there is to try: the chain counts that the rest of the pipeline can do with, then the cascades.</summary>
    public IEnumerable<TrialDraft> Drafts()
    {
        for (var count = 1; count <= Elastic.Model.Config.ChainCount; count++)
        {
            if (count == Elastic.ChainCount || Fits(count))
                yield return new(count);
        }
        if (Elastic.Model.Config.ChainCount == 1)
            yield break;
        foreach (var tolerance in _plan.Tolerances)
            yield return new(Elastic.Model.Config.ChainCount, tolerance);
    }

    /// <summary>The pipeline as a trial has it; the caller disposes it.</summary>
    public ITransformer View(TrialDraft draft) => View(_model, draft.Depth);

    /// <summary>A pipeline at a depth; the caller disposes it.</summary>
    public static ITransformer View(ITransformer model, Depth depth) =>
        ElasticChain.Replace(model, transformer => transformer.WithDepth(depth));

    /// <summary>Finds a cascade's thresholds; nothing of other trials.</summary>
    public void Calibrate(TrialDraft draft, TrialClock clock)
    {
        if (draft.Tolerance is not { } tolerance)
            return;
        if (!_cascades.TryGetValue(tolerance, out var cascade))
        {
            cascade = CascadeCalibrator.Of(
                _plan.Context, _model, clock.Stoppable(_plan.CalibrationData!), tolerance, _plan.Calibration).Cascade;
            _cascades.Add(tolerance, cascade);
        }
        draft.Cascade = cascade;
    }

    /// <summary>Judges a trial, unless it has ended; whatever goes wrong ends it.</summary>
    /// <param name="draft">The trial.</param>
    /// <param name="clock">Its time.</param>
    /// <param name="measuresLatency">Whether latency is measured, too.</param>
    /// <param name="turn">When this rank may measure; null where nobody else is to rest.</param>
    public void Judge(TrialDraft draft, TrialClock clock, bool measuresLatency, MeasuringTurn? turn = null)
    {
        if (!draft.IsAlive)
            return;
        try
        {
            clock.ThrowIfStopped();
            Calibrate(draft, clock);
            draft.Parameters = Elastic.Model.ParameterCount(draft.ChainCount);
            var view = View(draft);
            try
            {
                if (FromOnePass(draft, clock) is { } metrics)
                {
                    metrics.ForEach(draft.Add);
                    if (measuresLatency && _plan.MeasuresLatency && draft.IsAlive)
                        Measure(draft, () => MeasureLatency(draft, view, clock, turn), isQuiet: true);
                }
                else
                {
                    Measure(draft, () => Evaluate(draft, view, clock));
                    if (measuresLatency && _plan.MeasuresLatency && draft.IsAlive)
                        MeasureLatency(draft, view, clock, turn);
                }
                clock.ThrowIfStopped();
            }
            finally
            {
                (view as IDisposable)?.Dispose();
            }
        }
        catch (Exception e)
        {
            draft.End(e, clock);
        }
    }

    private void Evaluate(TrialDraft draft, ITransformer view, TrialClock clock)
    {
        for (var fold = 0; fold < _validations.Count && draft.IsAlive; fold++)
            draft.Add(_plan.Objective.Evaluate(view, clock.Stoppable(_validations[fold])));
    }

    private void MeasureLatency(TrialDraft draft, ITransformer view, TrialClock clock, MeasuringTurn? turn)
    {
        turn?.Take(clock);
        draft.Latency = _plan.MeasureLatency(view, _validations[0], _plan.LatencyBatchSize, clock.Token);
    }

    // The weights that a chain count reads are its memory, whoever loaded them, and what scoring adds.
    private void Measure(TrialDraft draft, Action score, bool isQuiet = false)
    {
        using var meter = MemoryMeter.Start(isQuiet);
        score();
        var weights = Elastic.Model.SizeInBytes(draft.ChainCount);
        draft.Memory = Math.Max(draft.Memory, weights + meter.PeakAdded);
        TrialRefusedException.ThrowIfAbove(_plan.MemoryLimit, "The trial took", draft.Memory);
    }

    /// <summary>The metrics of all folds where one pass over the rows gives those of all chain counts; else null.</summary>
    private List<double>? FromOnePass(TrialDraft draft, TrialClock clock)
    {
        if (draft.Tolerance is not null)
            return null;
        if (!_hasPassed)
        {
            _ofAllCounts = [.. _validations.Select(validation => _plan.Objective.EvaluateChainCounts(_model, clock.Stoppable(validation)))];
            _hasPassed = true;
        }
        return _ofAllCounts.Contains(null) ? null : [.. _ofAllCounts.Select(metrics => metrics![draft.ChainCount - 1])];
    }

    // What is behind the elastic transformer may have been trained on as many features as there were.
    private bool Fits(int count)
    {
        try
        {
            var view = View(_model, new Depth(count));
            try
            {
                _ = view.GetOutputSchema(_validations[0].Schema);
                return true;
            }
            finally
            {
                (view as IDisposable)?.Dispose();
            }
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException)
        {
            return false;
        }
    }
}
