namespace ClusterSample.Client;

/// <summary>Where blocks are scored.</summary>
internal interface IScoringSilo
{
    /// <summary>Its name.</summary>
    string Name { get; }

    /// <summary>Cancelled when it takes no more blocks.</summary>
    CancellationToken Retired { get; }

    /// <summary>Scores a block.</summary>
    /// <exception cref="ScoringUnavailableException">It is not to be had: another silo is to score the block.</exception>
    /// <exception cref="RowsFailedException">The scoring failed, and would elsewhere.</exception>
    Task<ScoredBlock> ScoreAsync(InputBlock block, CancellationToken cancellationToken);
}
