namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What rank 0 answers.</summary>
internal sealed record RankAnswer
{
    /// <summary>Why the sweep is over; null while it goes on.</summary>
    public string? Over { get; init; }

    public bool IsYes { get; init; }

    /// <summary>What to do next.</summary>
    public Deal Deal { get; init; }

    /// <summary>Everything, in the end; null before.</summary>
    public CandidateRecord[]? Results { get; init; }
}
