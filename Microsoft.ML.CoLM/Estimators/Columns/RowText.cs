namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The text of a row, or its two texts.</summary>
/// <param name="First">The first, or only one.</param>
/// <param name="Second">The second; null where rows have one.</param>
internal readonly record struct RowText(string First, string? Second);
