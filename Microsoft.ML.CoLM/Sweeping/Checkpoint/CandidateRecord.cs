namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>A line of a checkpoint folder: a candidate with its trials, or one of a model's chain counts.</summary>
internal sealed record CandidateRecord
{
    // Several ranks end candidates in another order than they begin them. Far more than there are ranks: what a stranger's file
    // says is not to be counted up to.
    private const int MostAtOnce = 1 << 16;

    /// <summary>The candidate's number, from 1 on.</summary>
    public required int Candidate { get; init; }

    /// <summary>Seconds that the sweep had taken when it was done, in all its runs.</summary>
    public required double Elapsed { get; init; }

    /// <summary>The settings as exact texts, to be compared with what the space gives.</summary>
    public required Dictionary<string, string> Settings { get; init; }

    public required TrialRecord[] Trials { get; init; }

    /// <summary>The SHA-256 of the candidate's zip; null where none was saved.</summary>
    public string? Model { get; init; }

    /// <summary>What no candidate has, as the end of a sentence; null for a candidate.</summary>
    public string? Fault(IReadOnlySet<int> earlier, int expectedId)
    {
        if (earlier.Contains(Candidate))
            return FormattableString.Invariant($"candidate {Candidate} is there twice");
        if (Candidate < 1 || Candidate > earlier.Count + MostAtOnce)
            return FormattableString.Invariant($"candidate {earlier.Count + 1} or one of the next {MostAtOnce} must follow, found {Candidate}");
        if (!(Elapsed >= 0 && double.IsFinite(Elapsed)))
            return FormattableString.Invariant($"the time of candidate {Candidate} is {Elapsed} s");
        if (Trials.Length == 0)
            return FormattableString.Invariant($"candidate {Candidate} has no trials");
        return Trials.Select((trial, i) => trial is null ? "a trial is null" : trial.Fault(expectedId + i))
            .FirstOrDefault(fault => fault is not null);
    }
}
