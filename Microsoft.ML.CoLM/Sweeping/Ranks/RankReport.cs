namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What a rank says of a candidate that it tried.</summary>
/// <param name="Record">The trials, numbered from 1 on.</param>
/// <param name="IsFinal">Whether it is done, and not cut short by the sweep's end.</param>
/// <param name="HasModel">Whether its zip was sent before.</param>
internal sealed record RankReport(CandidateRecord Record, bool IsFinal, bool HasModel);
