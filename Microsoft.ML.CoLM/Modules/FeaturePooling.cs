namespace Microsoft.ML.CoLM;

/// <summary>How the features of a text's tokens are pooled into one vector.</summary>
public enum FeaturePooling
{
    /// <summary>The mean over all tokens, including the beginning-of-text token.</summary>
    Mean = 0,

    /// <summary>The last token's features; it is the only token that has seen the whole text.</summary>
    LastToken = 1,
}
