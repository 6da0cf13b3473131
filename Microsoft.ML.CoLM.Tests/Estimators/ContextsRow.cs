namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Contexts, one for each choice.</summary>
internal sealed class ContextsRow
{
    public string?[] Context { get; set; } = [];

    public string?[] Choices { get; set; } = [];

    public int Label { get; set; }
}
