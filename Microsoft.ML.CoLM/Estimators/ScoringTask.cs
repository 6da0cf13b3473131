namespace Microsoft.ML.CoLM;

/// <summary>What elastic scoring computes from a text without a head trained by <see cref="ChainTuningEstimator"/>.</summary>
public enum ScoringTask
{
    /// <summary>The probability of the text: log-probability, token count and perplexity.</summary>
    LanguageModeling = 0,

    /// <summary>A vector of the text's features, as input of another trainer.</summary>
    Features = 1,

    /// <summary>Which of several choices is the most probable given a context.</summary>
    MultipleChoice = 2,
}
