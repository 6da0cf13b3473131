namespace ClusterSample.Contracts;

/// <summary>Scores blocks of rows with the model that its silo holds.</summary>
internal interface IScoringGrain : IGrainWithIntegerKey
{
    /// <summary>What the silo is; answered beside a block that is being scored.</summary>
    [AlwaysInterleave]
    Task<SiloDescription> Describe();

    /// <summary>
    /// Scores a block. What goes wrong in the scoring is in the answer: an exception is Orleans's, and means that the silo
    /// could not be asked.
    /// </summary>
    Task<ScoringAnswer> Score(ScoringRequest request, CancellationToken cancellationToken);
}
