namespace Microsoft.ML.CoLM;

/// <summary>What elastic scoring computes of a text.</summary>
public enum ScoringTask
{
    /// <summary>How probable the text is: log-probability, token count and perplexity.</summary>
    LanguageModeling = 0,

    /// <summary>A vector of the text's features, for a trainer behind it.</summary>
    Features = 1,

    /// <summary>One of several classes; by <see cref="ChainTuningEstimator"/>, with a key label.</summary>
    MulticlassClassification = 2,

    /// <summary>True or false; by <see cref="ChainTuningEstimator"/>, with a Boolean label.</summary>
    BinaryClassification = 3,

    /// <summary>A number; by <see cref="ChainTuningEstimator"/>, with a Single label.</summary>
    Regression = 4,

    /// <summary>How probable a response is behind its prompt; by <see cref="ChainTuningEstimator"/>.</summary>
    Completion = 5,

    /// <summary>Which of several choices is the most probable behind a context.</summary>
    MultipleChoice = 6,
}
