namespace ForgettingStudy;

/// <summary>An expansion in the file of all runs.</summary>
/// <param name="Settings">What was asked for.</param>
/// <param name="Result">What was found.</param>
internal sealed record SavedExpansion(ExpansionSettings Settings, ExpansionResult Result);
