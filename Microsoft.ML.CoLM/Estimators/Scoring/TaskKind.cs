namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What a transformer computes of a row: a <see cref="ScoringTask"/>, or what Chain Tuning made a head for.</summary>
/// <remarks>The numbers stand in zips.</remarks>
internal enum TaskKind
{
    /// <summary>How probable the text is.</summary>
    LanguageModeling = 0,

    /// <summary>A vector of the text's features.</summary>
    Features = 1,

    /// <summary>One of several classes, of a key label.</summary>
    MulticlassClassification = 2,

    /// <summary>True or false, of a Boolean label.</summary>
    BinaryClassification = 3,

    /// <summary>A number, of a Single label.</summary>
    Regression = 4,

    /// <summary>How probable a response is behind its prompt.</summary>
    Completion = 5,

    /// <summary>Which of several choices is the most probable behind a context.</summary>
    MultipleChoice = 6,
}
