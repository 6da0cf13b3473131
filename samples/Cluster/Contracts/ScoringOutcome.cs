namespace ClusterSample.Contracts;

/// <summary>How the scoring of a block went.</summary>
[GenerateSerializer]
internal enum ScoringOutcome
{
    /// <summary>The scores are there.</summary>
    Scored,

    /// <summary>The silo does not score for this client: it holds another model. Another silo may.</summary>
    Refused,

    /// <summary>A row could not be scored, and would not be elsewhere.</summary>
    Failed,
}
