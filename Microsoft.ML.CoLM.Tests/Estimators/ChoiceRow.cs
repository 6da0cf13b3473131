using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>A context with choices, and the right one.</summary>
internal sealed class ChoiceRow
{
    public string? Context { get; set; }

    public string?[] Choices { get; set; } = [];

    public int Label { get; set; }
}

/// <summary>Contexts, one for each choice.</summary>
internal sealed class ContextsRow
{
    public string?[] Context { get; set; } = [];

    public string?[] Choices { get; set; } = [];

    public int Label { get; set; }
}

/// <summary>What choices scored.</summary>
internal sealed class ScoredChoice
{
    public float[] Score { get; set; } = [];

    public float[] NormalizedScore { get; set; } = [];

    public int PredictedLabel { get; set; }

    public int NormalizedPredictedLabel { get; set; }
}
