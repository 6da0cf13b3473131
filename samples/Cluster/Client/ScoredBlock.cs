namespace ClusterSample.Client;

/// <summary>The scores of a block.</summary>
/// <param name="SiloName">Who scored it.</param>
/// <param name="Scores">The columns that the model computes, in ML.NET's binary format.</param>
internal sealed record ScoredBlock(string SiloName, byte[] Scores);
