namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>A setting's null, where its values are of a nullable type.</summary>
/// <param name="Type">The type of the values that are not null.</param>
internal sealed record NoValue(Type Type);
