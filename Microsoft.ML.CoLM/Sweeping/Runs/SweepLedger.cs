using Microsoft.ML.CoLM.Estimators;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What is done of a sweep: its trials, the models that are kept, and the lines of its checkpoint folder.</summary>
/// <remarks>For all threads: trials of other ranks come in on another than the sweep's own.</remarks>
internal sealed class SweepLedger(SweepPlan plan, SweepCandidates candidates, SweepCheckpoint? checkpoint, SweepClock clock) : IDisposable
{
    private readonly Lock _gate = new();
    private readonly SortedDictionary<int, ChainTrial[]> _done = [];
    private readonly ModelShelf _shelf = new(plan.Objective.IsMaximized);
    private readonly HashSet<int> _held = []; // candidates whose zips are being written or read
    private readonly Queue<(int Candidate, string Path, string? Digest)> _arrived = [];
    private readonly Queue<ChainTrial> _toReport = [];
    private string? _temporary;
    private int _firstLeft = 1;
    private int _released;
    private int _ids;
    private int _logged;

    /// <summary>Whether models of other ranks are there that have not been loaded.</summary>
    public bool HasArrivals
    {
        get
        {
            lock (_gate)
                return _arrived.Count > 0;
        }
    }

    /// <summary>All trials, in the candidates' order; their numbers are final once the sweep is over.</summary>
    public IReadOnlyList<ChainTrial> Trials
    {
        get
        {
            lock (_gate)
                return [.. _done.Values.SelectMany(trials => trials)];
        }
    }

    /// <summary>What every rank is told in the end.</summary>
    public CandidateRecord[] Records
    {
        get
        {
            lock (_gate)
                return [.. _done.Select(done => RecordOf(done.Key, [.. done.Value.Select(TrialRecord.Of)], digest: null))];
        }
    }

    /// <summary>Goes on where the folder's lines end.</summary>
    public void Restore()
    {
        Dictionary<int, string?> digests = [];
        foreach (var record in checkpoint?.Records ?? [])
        {
            if (candidates.Refusal(record) is { } expected)
                throw checkpoint!.Refuse(record, expected);
            ChainTrial[] trials = [.. record.Trials.Select(trial => candidates.ToTrial(record.Candidate, trial))];
            _done.Add(record.Candidate, trials);
            _logged += trials.Length;
            digests.Add(record.Candidate, record.Model);
            _shelf.Add(record.Candidate, trials, hasModel: record.Model is not null);
        }
        Release();
        _toReport.Clear(); // they were reported when they were done
        foreach (var candidate in _shelf.Candidates.ToArray())
            _shelf.Put(candidate, checkpoint!.Load(candidate, digests[candidate]));
        checkpoint?.DeleteModelsBut(_shelf.Candidates);
    }

    /// <summary>The first candidate that is neither done nor under way; null where none is left.</summary>
    public int? Next(IEnumerable<int> underWay)
    {
        lock (_gate)
        {
            while (_done.ContainsKey(_firstLeft))
                _firstLeft++;
            var next = _firstLeft;
            var taken = underWay.ToHashSet();
            while (_done.ContainsKey(next) || taken.Contains(next))
                next++;
            return next <= (plan.MaxModels ?? int.MaxValue) && candidates.Has(next) ? next : null;
        }
    }

    /// <summary>Whether a model would be kept of a candidate with such trials.</summary>
    public bool Wants(TrialPoint[] points)
    {
        lock (_gate)
            return _shelf.Wants(points);
    }

    /// <summary>Whether a model would be kept of a candidate with such trials.</summary>
    public bool Wants(int candidate, IReadOnlyList<TrialDraft> drafts) =>
        Wants(TrialPoint.Of(candidate, drafts, plan.Objective.IsMaximized));

    /// <summary>Adds what this process tried.</summary>
    public void Finish(int candidate, CandidateOutcome outcome, TrialClock trialClock)
    {
        var fitted = outcome.Fitted;
        try
        {
            Hold(candidate);
            var isFinal = outcome.IsFinal(clock);
            string? digest = null;
            if (checkpoint is not null && isFinal && fitted is not null)
                isFinal = TrySave(candidate, ref fitted, outcome.Drafts, checkpoint, trialClock, out digest);
            ChainTrial[] trials = [.. outcome.Drafts.Select((draft, i) =>
                draft.ToTrial(i + 1, candidates.Settings(candidate), outcome.TrainingSeconds))];
            lock (_gate)
            {
                _held.Remove(candidate);
                if (isFinal)
                    checkpoint?.Append(RecordOf(candidate, [.. trials.Select(TrialRecord.Of)], digest));
                foreach (var trial in trials)
                    candidates.Attach(trial);
                Add(candidate, trials, hasModel: fitted is not null, isFinal);
                if (fitted is not null)
                    _shelf.Put(candidate, fitted);
                fitted = null;
                if (isFinal)
                    DeleteNeedless();
            }
        }
        catch
        {
            (fitted as IDisposable)?.Dispose();
            throw;
        }
    }

    /// <summary>Adds what another rank tried.</summary>
    /// <param name="report">What it says.</param>
    public void Finish(RankReport report)
    {
        var candidate = report.Record.Candidate;
        ChainTrial[] trials = [.. report.Record.Trials.Select(trial => candidates.ToTrial(candidate, trial))];
        lock (_gate)
        {
            string? digest = null;
            if (report.HasModel)
            {
                var path = ArrivingPath(candidate);
                if (checkpoint is not null && report.IsFinal)
                {
                    digest = checkpoint.Take(candidate, path);
                    path = "";
                }
                _arrived.Enqueue((candidate, path, digest));
            }
            if (report.IsFinal)
                checkpoint?.Append(RecordOf(candidate, report.Record.Trials, digest));
            Add(candidate, trials, report.HasModel, report.IsFinal);
            _held.Remove(candidate);
            if (report.IsFinal)
                DeleteNeedless();
        }
    }

    /// <summary>Adds bytes to the file of a model that arrives from another rank.</summary>
    public void Receive(int candidate, bool isFirst, ReadOnlySpan<byte> bytes)
    {
        Hold(candidate);
        using var file = new FileStream(ArrivingPath(candidate), isFirst ? FileMode.Create : FileMode.Append, FileAccess.Write);
        file.Write(bytes);
    }

    /// <summary>Loads the models of other ranks that are wanted still.</summary>
    public void LoadArrivals()
    {
        while (true)
        {
            (int Candidate, string Path, string? Digest) arrival;
            bool isWanted;
            lock (_gate)
            {
                if (!_arrived.TryDequeue(out arrival))
                    return;
                isWanted = _shelf.Candidates.Contains(arrival.Candidate);
                if (isWanted)
                    _held.Add(arrival.Candidate);
            }
            if (isWanted)
            {
                var fitted = arrival.Path.Length == 0 ? checkpoint!.Load(arrival.Candidate, arrival.Digest)
                    : new ModelZip(plan.Context).Load(arrival.Path, out _);
                lock (_gate)
                {
                    _shelf.Put(arrival.Candidate, fitted);
                    _held.Remove(arrival.Candidate);
                    DeleteNeedless();
                }
            }
            if (arrival.Path.Length > 0)
                File.Delete(arrival.Path);
        }
    }

    /// <summary>The trials to be reported: in the candidates' order, when those before them are done.</summary>
    public IReadOnlyList<ChainTrial> TakeReports()
    {
        lock (_gate)
        {
            ChainTrial[] reports = [.. _toReport];
            _toReport.Clear();
            return reports;
        }
    }

    /// <summary>Numbers the trials that were waiting for earlier ones, which do not come any more.</summary>
    public void End()
    {
        lock (_gate)
        {
            foreach (var (_, trials) in _done.Where(done => done.Key > _released).ToArray())
                Release(trials);
            _released = int.MaxValue;
        }
    }

    /// <summary>Disposes all models, after a failure.</summary>
    public void Clear()
    {
        lock (_gate)
        {
            _shelf.Clear();
            foreach (var trial in _done.Values.SelectMany(trials => trials))
                (trial.Model as IDisposable)?.Dispose();
        }
    }

    public void Dispose()
    {
        if (_temporary is not null)
            Directory.Delete(_temporary, recursive: true);
    }

    private void Hold(int candidate)
    {
        lock (_gate)
            _held.Add(candidate);
    }

    private string ArrivingPath(int candidate)
    {
        if (checkpoint is not null)
            return checkpoint.ArrivingPath(candidate);
        _temporary ??= Directory.CreateTempSubdirectory("colm-sweep-").FullName;
        return Path.Combine(_temporary, FormattableString.Invariant($"{candidate}.zip"));
    }

    private void Add(int candidate, ChainTrial[] trials, bool hasModel, bool isFinal)
    {
        if (isFinal)
            _logged += trials.Length;
        _done.Add(candidate, trials);
        _shelf.Add(candidate, trials, hasModel);
        Release();
    }

    private void Release()
    {
        while (_released < int.MaxValue && _done.TryGetValue(_released + 1, out var trials))
        {
            _released++;
            Release(trials);
        }
    }

    private void Release(ChainTrial[] trials)
    {
        foreach (var trial in trials)
        {
            trial.Id = ++_ids;
            _toReport.Enqueue(trial);
        }
    }

    private void DeleteNeedless() => checkpoint?.DeleteModelsBut([.. _shelf.Candidates, .. _held]);

    // Trials are numbered in the order of lines, as in the folder; in the end, when no line is added, by what they are.
    private CandidateRecord RecordOf(int candidate, TrialRecord[] trials, string? digest) => new()
    {
        Candidate = candidate,
        Elapsed = clock.Elapsed,
        Settings = candidates.Settings(candidate).Texts(),
        Trials = _released == int.MaxValue ? trials : [.. trials.Select((trial, i) => trial with { Id = _logged + 1 + i })],
        Model = digest,
    };

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
            TrialError.EndUnsaved(drafts, e);
            return true;
        }
    }
}
