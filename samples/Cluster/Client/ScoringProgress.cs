namespace ClusterSample.Client;

/// <summary>A block was scored, or given back.</summary>
/// <param name="Rows">Rows that were scored so far.</param>
/// <param name="Blocks">Blocks that were.</param>
/// <param name="Retries">Blocks that were given to another silo so far.</param>
/// <param name="SiloName">The silo that this is about.</param>
/// <param name="IsScored">Whether it scored the block; otherwise it was lost with it.</param>
internal readonly record struct ScoringProgress(long Rows, long Blocks, int Retries, string SiloName, bool IsScored);
