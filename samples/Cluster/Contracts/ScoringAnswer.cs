namespace ClusterSample.Contracts;

/// <summary>What became of a block.</summary>
/// <param name="SiloName">Who scored it.</param>
/// <param name="Outcome">How it went.</param>
/// <param name="Scores">The columns that were asked for, in ML.NET's binary format; empty unless it was scored.</param>
/// <param name="Error">Why it was not scored; null if it was.</param>
[GenerateSerializer, Immutable]
internal sealed record ScoringAnswer(
    [property: Id(0)] string SiloName, [property: Id(1)] ScoringOutcome Outcome, [property: Id(2)] byte[] Scores,
    [property: Id(3)] string? Error);
