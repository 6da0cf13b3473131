using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>One run of a sweep, from the beginning or from where a killed one was.</summary>
/// <param name="plan">What to do.</param>
/// <param name="cancellationToken">Ends it with what is done.</param>
internal sealed class SweepRun(SweepPlan plan, CancellationToken cancellationToken)
{
    private readonly List<ChainTrial> _trials = [];
    private readonly ModelShelf _shelf = new(plan.Objective.IsMaximized);

    /// <exception cref="InvalidOperationException">No trial completed; the message has every trial's reason.</exception>
    public ChainSweepResult Run()
    {
        using var channel = plan.Host.Start("Sweep");
        var began = Stopwatch.GetTimestamp(); // weights and rows are read to tell whose the folder is
        using var checkpoint = SweepCheckpoint.Open(plan);
        var before = (checkpoint?.Elapsed ?? 0) + Stopwatch.GetElapsedTime(began).TotalSeconds;
        using var clock = new SweepClock(plan.Host, plan.TotalSeconds, before, cancellationToken);
        try
        {
            if (checkpoint?.Records.Count > 0)
                channel.Info(FormattableString.Invariant($"The sweep goes on behind {checkpoint.Records.Count} lines of '{plan.CheckpointFolder}'."));
            if (plan.Model is { } model)
                SweepChainCounts(model, clock, checkpoint, channel);
            else
                SweepCandidates(clock, checkpoint, channel);
            if (!_trials.Exists(trial => trial.State == SweepTrialState.Completed))
                throw new InvalidOperationException(Reasons(clock));
            if (clock.IsOver)
                channel.Warning(clock.Reason);
            return new(_trials, plan.Objective.Name, plan.Objective.IsMaximized, plan.LatencyBatchSize);
        }
        catch
        {
            _shelf.Clear();
            foreach (var trial in _trials)
                (trial.Model as IDisposable)?.Dispose();
            throw;
        }
    }

    private void SweepChainCounts(ITransformer model, SweepClock clock, SweepCheckpoint? checkpoint, IChannel channel)
    {
        var trials = new ModelTrials(plan, model, [.. plan.Folds.Select(fold => fold.Validation)]);
        TrialDraft[] drafts = [.. trials.Drafts()];
        var isOfLanguage = trials.Elastic.Settings.Scorer is LanguageModelRowScorer;
        foreach (var record in checkpoint?.Records ?? [])
        {
            if (_trials.Count == drafts.Length || record.Settings.Count > 0 || record.Trials.Length != 1 ||
                record.Trials[0].CascadeStopsByLoss == !isOfLanguage)
            {
                throw checkpoint!.Refuse(record, "a chain count or a cascade of the model, or none");
            }
            Add(record.Trials[0].ToTrial(new(), isOfLanguage), model);
        }
        if (_trials.Count == drafts.Length || !IsChecked(trials, clock))
            return;
        foreach (var draft in drafts[_trials.Count..])
        {
            if (clock.IsOver)
                return;
            using var trialClock = clock.StartTrial(plan.TrialSeconds);
            trials.Judge(draft, trialClock, measuresLatency: true);
            var trial = draft.ToTrial(_trials.Count + 1, new(), trainingSeconds: 0);
            if (IsFinal([draft], clock))
                Append(checkpoint, candidate: trial.Id, new(), [trial], clock);
            Add(trial, model);
            Report([trial], channel);
        }
    }

    /// <returns>Whether the rows were read to their end: not where the sweep ended meanwhile.</returns>
    private static bool IsChecked(ModelTrials trials, SweepClock clock)
    {
        using var checking = clock.StartTrial(limit: null);
        try
        {
            trials.Check(checking);
            return true;
        }
        catch (Exception e) when (clock.IsOver && TrialError.IsCancellation(e))
        {
            return false;
        }
    }

    private void Add(ChainTrial trial, ITransformer model)
    {
        _trials.Add(trial);
        if (trial.State == SweepTrialState.Completed)
            trial.Model = ModelTrials.View(model, trial.Depth);
    }

    private void SweepCandidates(SweepClock clock, SweepCheckpoint? checkpoint, IChannel channel)
    {
        using var candidates = plan.Search.Candidates(plan.Space).GetEnumerator();
        var count = 0;
        foreach (var record in checkpoint?.Records ?? [])
        {
            count++;
            if (!candidates.MoveNext())
                throw checkpoint!.Refuse(record, "none");
            Restore(record, candidates.Current, checkpoint!);
        }
        foreach (var candidate in _shelf.Candidates.ToArray())
            _shelf.Put(candidate, checkpoint!.Load(candidate));
        checkpoint?.DeleteModelsBut(_shelf.Candidates);
        while (!clock.IsOver && count < (plan.MaxModels ?? int.MaxValue) && candidates.MoveNext())
            Try(++count, candidates.Current, clock, checkpoint, channel);
    }

    private void Restore(CandidateRecord record, SweepSettings settings, SweepCheckpoint checkpoint)
    {
        var texts = settings.Texts();
        if (record.Settings.Count != texts.Count
            || record.Settings.Any(value => !texts.TryGetValue(value.Key, out var text) || text != value.Value))
        {
            throw checkpoint.Refuse(record, settings.Describe());
        }
        ChainTrial[] trials = [.. record.Trials.Select(trial => trial.ToTrial(settings, plan.Objective.IsOfLanguage))];
        _trials.AddRange(trials);
        _shelf.Add(record.Candidate, trials);
    }

    private void Try(int candidate, SweepSettings settings, SweepClock clock, SweepCheckpoint? checkpoint, IChannel channel)
    {
        using var trialClock = clock.StartTrial(plan.TrialSeconds);
        var run = new CandidateRun(plan, settings, trialClock, _shelf.Wants);
        var fitted = run.Run();
        try
        {
            var isFinal = IsFinal(run.Drafts, clock);
            string? digest = null;
            if (checkpoint is not null && isFinal && fitted is not null)
                isFinal = TrySave(candidate, ref fitted, run.Drafts, checkpoint, trialClock, out digest);
            ChainTrial[] trials = [.. run.Drafts.Select((draft, i) => draft.ToTrial(_trials.Count + 1 + i, settings, run.TrainingSeconds))];
            if (isFinal)
                Append(checkpoint, candidate, settings, trials, clock, digest);
            _trials.AddRange(trials);
            _shelf.Add(candidate, trials);
            if (fitted is not null)
                _shelf.Put(candidate, fitted);
            fitted = null;
            if (isFinal)
                checkpoint?.DeleteModelsBut(_shelf.Candidates);

            // What a candidate freed is not to pile up in the allocators' hands over many of them.
            ProcessMemory.ReturnFree();
            Report(trials, channel);
        }
        catch
        {
            (fitted as IDisposable)?.Dispose();
            throw;
        }
    }

    /// <returns>Whether the candidate is done: not where ML.NET was cancelled meanwhile.</returns>
    // A full disk ends the sweep, whose trials so far are safe. A transformer that cannot be saved at all is its candidate's failure.
    private static bool TrySave(
        int candidate, ref ITransformer? fitted, IReadOnlyList<TrialDraft> drafts, SweepCheckpoint checkpoint, TrialClock clock,
        out string? digest)
    {
        digest = null;
        try
        {
            digest = checkpoint.Save(candidate, fitted!);
            return true;
        }
        catch (OperationCanceledException) when (clock.IsSweepOver)
        {
            return false;
        }
        catch (Exception e) when (e is not (IOException or UnauthorizedAccessException))
        {
            (fitted as IDisposable)?.Dispose();
            fitted = null;
            foreach (var draft in drafts)
                draft.End(SweepTrialState.Failed, $"The pipeline cannot be saved in the checkpoint folder. {TrialError.Text(e)}");
            return true;
        }
    }

    // What the sweep's end cut short is done anew when it goes on.
    private static bool IsFinal(IReadOnlyList<TrialDraft> drafts, SweepClock clock) =>
        !clock.IsOver || drafts.All(draft => draft.State != SweepTrialState.Stopped);

    private static void Append(
        SweepCheckpoint? checkpoint, int candidate, SweepSettings settings, IReadOnlyList<ChainTrial> trials, SweepClock clock,
        string? digest = null) => checkpoint?.Append(new()
        {
            Candidate = candidate,
            Elapsed = clock.Elapsed,
            Settings = settings.Texts(),
            Trials = [.. trials.Select(TrialRecord.Of)],
            Model = digest,
        });

    private void Report(IReadOnlyList<ChainTrial> trials, IChannel channel)
    {
        foreach (var trial in trials)
        {
            if (trial.State == SweepTrialState.Completed)
                channel.Info(Summary(trial));
            else
                channel.Warning($"{Name(trial)}: {trial.State}: {trial.Error}");
        }
        foreach (var trial in trials)
            plan.Monitor?.Report(trial);
    }

    private string Summary(ChainTrial trial) => Name(trial) + string.Create(CultureInfo.InvariantCulture,
        $": {plan.Objective.Name} {trial.Metric:G6}, {trial.MedianLatency:G3} ms a row, {trial.Parameters:N0} parameters.");

    private string Reasons(SweepClock clock) => _trials.Count == 0
        ? $"No trial of the sweep was run: {clock.Reason}"
        : string.Join('\n', _trials.Select(trial => $"{Name(trial)}: {trial.State}: {trial.Error}").Prepend("No trial of the sweep completed."));

    private static string Name(ChainTrial trial)
    {
        var settings = trial.Settings.Describe();
        return string.Create(CultureInfo.InvariantCulture, $"Trial {trial.Id}") +
            (trial.ChainCount == 0 ? "" : string.Create(CultureInfo.InvariantCulture, $", chain count {trial.ChainCount}")) +
            (settings.Length == 0 ? "" : $" ({settings})");
    }
}
