using Microsoft.ML.CoLM.Estimators;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>
/// The trials so far, and the models of those that are the answer to a budget of latency, parameters or memory: that no other
/// trial beats in metric and this. All other models are disposed.
/// </summary>
/// <param name="isMaximized">Whether more of the metric is better.</param>
internal sealed class ModelShelf(bool isMaximized)
{
    private readonly List<ChainTrial> _trials = [];
    private readonly Dictionary<int, List<(ChainTrial Trial, TrialPoint Point)>> _kept = []; // of each candidate
    private readonly Dictionary<int, ITransformer> _fitted = [];

    /// <summary>Candidates that have a trial whose model is kept.</summary>
    public IReadOnlyCollection<int> Candidates => _kept.Keys;

    /// <summary>Whether a model would be kept of a candidate that is not here yet, with such trials.</summary>
    public bool Wants(TrialPoint[] points)
    {
        TrialPoint[] all = [.. points, .. KeptPoints()];
        return Array.Exists(points, point => point.IsNeededBeside(all));
    }

    /// <summary>Adds a candidate's trials, without models yet, and lets go of the models that they make needless.</summary>
    /// <param name="candidate">The candidate.</param>
    /// <param name="trials">Its trials.</param>
    /// <param name="hasModel">Whether there is a model to keep: what was not wanted has none.</param>
    public void Add(int candidate, IReadOnlyList<ChainTrial> trials, bool hasModel)
    {
        _trials.AddRange(trials);
        if (!hasModel)
            return;
        (ChainTrial, TrialPoint)[] ranked = [.. trials.Index().Where(trial => trial.Item.State == SweepTrialState.Completed)
            .Select(trial => (trial.Item, TrialPoint.Of(trial.Item, isMaximized, candidate, trial.Index)))];
        if (ranked.Length == 0)
            return;
        _kept.Add(candidate, [.. ranked]);
        TrialPoint[] points = [.. KeptPoints()];
        List<int> left = [];
        foreach (var (other, kept) in _kept)
        {
            foreach (var entry in kept.ToArray())
            {
                if (!entry.Point.IsNeededBeside(points))
                {
                    kept.Remove(entry);
                    Dispose(entry.Trial);
                }
            }
            if (kept.Count == 0)
                left.Add(other);
        }
        foreach (var other in left)
            Forget(other);
    }

    /// <summary>Gives a candidate's trials that are kept their models, and disposes the fitted pipeline with the last.</summary>
    public void Put(int candidate, ITransformer fitted)
    {
        if (!_kept.TryGetValue(candidate, out var kept))
        {
            (fitted as IDisposable)?.Dispose();
            return;
        }
        ShareWeights(ElasticChain.Find(fitted));
        _fitted.Add(candidate, fitted);
        foreach (var (trial, _) in kept)
            trial.Model = ModelTrials.View(fitted, trial.Depth);

        // The weights are now the trials' alone; what else the pipeline has to dispose stays with it.
        ElasticChain.Find(fitted).Dispose();
    }

    /// <summary>Disposes all models, after a failure.</summary>
    public void Clear()
    {
        foreach (var trial in _trials)
            Dispose(trial);
        foreach (var candidate in _kept.Keys.ToArray())
            Forget(candidate);
    }

    // Candidates that were grown from one model have a copy of it each.
    private void ShareWeights(ElasticScoringTransformer own)
    {
        var other = KeptTrials().Where(trial => trial.Model is not null).Select(trial => ElasticChain.Find(trial.Model!))
            .FirstOrDefault(other => IsUsable(other) && other.OwnsModel
                && other.Model.Device.ToString() == own.Model.Device.ToString());
        if (own.OwnsModel && other is not null)
            own.Model.ShareWeights(other.Model);
    }

    // Whoever hears of a trial may dispose its model.
    private static bool IsUsable(ElasticScoringTransformer transformer)
    {
        try
        {
            transformer.CheckUsable();
            return true;
        }
        catch (ObjectDisposedException)
        {
            return false;
        }
    }

    private IEnumerable<ChainTrial> KeptTrials() => _kept.Values.SelectMany(kept => kept.Select(entry => entry.Trial));

    private IEnumerable<TrialPoint> KeptPoints() => _kept.Values.SelectMany(kept => kept.Select(entry => entry.Point));

    private void Forget(int candidate)
    {
        _kept.Remove(candidate);
        if (_fitted.Remove(candidate, out var fitted))
            (fitted as IDisposable)?.Dispose();
    }

    private static void Dispose(ChainTrial trial)
    {
        (trial.Model as IDisposable)?.Dispose();
        trial.Model = null;
    }
}
