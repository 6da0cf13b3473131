namespace Microsoft.ML.CoLM;

/// <summary>What elastic scoring computes of a text.</summary>
public enum ScoringTask
{
    /// <summary>How probable the text is: log-probability, token count and perplexity.</summary>
    LanguageModeling,

    /// <summary>A vector of the text's features, for a trainer behind it.</summary>
    Features,

    /// <summary>One of several classes; by <see cref="ChainTuningEstimator"/>, with a key label.</summary>
    MulticlassClassification,

    /// <summary>True or false; by <see cref="ChainTuningEstimator"/>, with a Boolean label.</summary>
    BinaryClassification,

    /// <summary>A number; by <see cref="ChainTuningEstimator"/>, with a Single label.</summary>
    Regression,

    /// <summary>How probable a response is behind its prompt; by <see cref="ChainTuningEstimator"/>.</summary>
    Completion,
}
