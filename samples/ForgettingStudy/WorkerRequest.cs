namespace ForgettingStudy;

/// <summary>What a worker is asked for.</summary>
/// <param name="Files">The base and the texts.</param>
/// <param name="ExpandedFolder">Where the expanded model is, or is written.</param>
/// <param name="Expansion">How to make the expanded model; null where it is there.</param>
/// <param name="Run">The run to do; null for the expansion.</param>
internal sealed record WorkerRequest(
    InputFiles Files, string ExpandedFolder, ExpansionSettings? Expansion, RunSettings? Run);
