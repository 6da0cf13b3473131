namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What scored rows say, and so how they are judged.</summary>
internal enum PredictionKind
{
    /// <summary>How probable texts are.</summary>
    LanguageModeling,

    /// <summary>Which of some choices is the most probable.</summary>
    MultipleChoice,

    /// <summary>True or false.</summary>
    BinaryClassification,

    /// <summary>One of several classes.</summary>
    MulticlassClassification,

    /// <summary>A number.</summary>
    Regression,
}
