namespace Microsoft.ML.CoLM.Training;

/// <summary>
/// Marks an option that does not change what a training ends with, or whose effect is looked at in another way: a training
/// may be resumed with another value.
/// </summary>
[AttributeUsage(AttributeTargets.Property)]
internal sealed class KeepsResultAttribute : Attribute;
