using System.Diagnostics;
using Microsoft.ML.CoLM.Evaluation;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Fits one candidate, on every fold where there are folds, and scores it at all its chain counts.</summary>
/// <param name="plan">The sweep.</param>
/// <param name="settings">The candidate.</param>
/// <param name="clock">Its time.</param>
/// <param name="isWanted">Whether some of its trials are to have a model.</param>
internal sealed class CandidateRun(
    SweepPlan plan, SweepSettings settings, TrialClock clock, Func<IReadOnlyList<TrialDraft>, bool> isWanted)
{
    private IReadOnlyList<TrialDraft> _drafts = [];
    private long _fittingMemory;
    private double _seconds;

    /// <summary>Seconds of fitting, of all folds.</summary>
    public double TrainingSeconds => _seconds;

    /// <summary>The candidate's trials; one where there was no model to score.</summary>
    public IReadOnlyList<TrialDraft> Drafts => _drafts;

    /// <summary>Fits and scores.</summary>
    /// <returns>The fitted pipeline, of all rows; null where none is wanted. The caller disposes it.</returns>
    public ITransformer? Run()
    {
        ITransformer? fitted = null;
        try
        {
            clock.ThrowIfStopped();
            var estimator = plan.Create!(settings.With(clock.Token))
                ?? throw new InvalidOperationException("The candidate's code gave null, not an estimator.");
            using var stop = new EstimatorStop(estimator, clock.Token);
            if (plan.MemoryLimit is not null)
                RefuseByEstimate(estimator);
            for (var fold = 0; fold < plan.Folds.Count; fold++)
            {
                DisposeOf(ref fitted);
                fitted = Fit(estimator, plan.Folds[fold].Train);
                Score(fitted, fold);
            }
            if (!isWanted(_drafts))
                DisposeOf(ref fitted);
            else if (plan.Data.HasFolds)
                FitOnAllRows(estimator, ref fitted);
        }
        catch (Exception e)
        {
            DisposeOf(ref fitted);
            if (_drafts.Count == 0)
                _drafts = [new(chainCount: 0)];
            foreach (var draft in _drafts)
                draft.End(e, clock);
        }
        foreach (var draft in _drafts)
            draft.Memory = Math.Max(draft.Memory, _fittingMemory);
        return fitted;
    }

    private void RefuseByEstimate(IEstimator<ITransformer> estimator)
    {
        var bytes = MemoryEstimate.Of(estimator, clock.Stoppable(plan.Folds[0].Train)) ?? 0;
        TrialRefusedException.ThrowIfAbove(plan.MemoryLimit, "Fitting is estimated to take", bytes);
    }

    private void Score(ITransformer fitted, int fold)
    {
        var trials = new ModelTrials(plan, fitted, plan.Folds[fold].Validation);
        try
        {
            trials.Check(clock);
        }
        catch when (_drafts.Count == 0)
        {
            _drafts = [new(trials.Elastic.ChainCount)];
            throw;
        }
        if (_drafts.Count == 0)
            _drafts = [.. trials.Drafts()];
        try
        {
            foreach (var draft in _drafts)
                trials.Judge(draft, clock, measuresLatency: fold == 0, plan.Turn);
        }
        finally
        {
            plan.Turn?.Give();
        }
    }

    // The folds' models each lack some rows: what is deployed has seen all.
    private void FitOnAllRows(IEstimator<ITransformer> estimator, ref ITransformer? fitted)
    {
        DisposeOf(ref fitted);
        fitted = Fit(estimator, plan.Data.Train);
        var trials = new ModelTrials(plan, fitted, plan.Folds[0].Validation);
        foreach (var draft in _drafts.Where(draft => draft.IsAlive && draft.Tolerance is not null))
        {
            try
            {
                trials.Calibrate(draft, clock);
            }
            catch (Exception e)
            {
                draft.End(e, clock);
            }
        }
    }

    private ITransformer Fit(IEstimator<ITransformer> estimator, IDataView rows)
    {
        using var meter = MemoryMeter.Start();
        var start = Stopwatch.GetTimestamp();
        ITransformer? fitted = null;
        try
        {
            fitted = estimator.Fit(clock.Stoppable(rows))
                ?? throw new InvalidOperationException("The candidate's estimator gave null, not a transformer.");
            clock.ThrowIfStopped();
            if (ElasticOutputs.Find(fitted)?.Training is { Cancelled: true, Steps: var steps })
                throw new TrainingCutException(steps);
            _fittingMemory = Math.Max(_fittingMemory, meter.PeakAdded);
            TrialRefusedException.ThrowIfAbove(plan.MemoryLimit, "Fitting took", meter.PeakAdded);
            return fitted;
        }
        catch
        {
            DisposeOf(ref fitted);
            throw;
        }
        finally
        {
            _seconds += Stopwatch.GetElapsedTime(start).TotalSeconds;
        }
    }

    private static void DisposeOf(ref ITransformer? fitted)
    {
        (fitted as IDisposable)?.Dispose();
        fitted = null;
    }
}
