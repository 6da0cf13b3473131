namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>One thing about every trial.</summary>
/// <param name="Name">Its name, which no other column has.</param>
/// <param name="Type">A number's type, or text.</param>
/// <param name="Values">A value of the type for each trial; null where it has none.</param>
internal sealed record TrialColumn(string Name, Type Type, object?[] Values);
