namespace ForgettingStudy;

/// <summary>A run in the file of all runs.</summary>
/// <param name="Settings">What was asked for.</param>
/// <param name="Result">What was found.</param>
internal sealed record SavedRun(RunSettings Settings, RunResult Result);
