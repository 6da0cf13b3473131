namespace Microsoft.ML.CoLM;

/// <summary>What elastic scoring computes of a text.</summary>
public enum ScoringTask
{
    /// <summary>How probable the text is: log-probability, token count and perplexity.</summary>
    LanguageModeling,

    /// <summary>A vector of the text's features, for a trainer behind it.</summary>
    Features,
}
