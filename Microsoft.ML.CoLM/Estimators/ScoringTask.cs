namespace Microsoft.ML.CoLM;

/// <summary>What elastic scoring computes of a text, without a head that <see cref="ChainTuningEstimator"/> makes.</summary>
public enum ScoringTask
{
    /// <summary>How probable the text is: log-probability, token count and perplexity.</summary>
    LanguageModeling = 0,

    /// <summary>A vector of the text's features, for a trainer behind it.</summary>
    Features = 1,

    /// <summary>Which of several choices is the most probable behind a context.</summary>
    MultipleChoice = 2,
}
