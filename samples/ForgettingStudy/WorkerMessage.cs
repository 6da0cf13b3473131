namespace ForgettingStudy;

/// <summary>A line of a worker's output; one of these is given.</summary>
/// <param name="Done">The share of the training that is done.</param>
/// <param name="Expansion">The result of an expansion.</param>
/// <param name="Run">The result of a run.</param>
/// <param name="Error">Why there is none.</param>
internal sealed record WorkerMessage(
    double? Done = null, ExpansionResult? Expansion = null, RunResult? Run = null, string? Error = null);
