namespace Microsoft.ML.CoLM;

/// <summary>How the features of a text's tokens become one vector.</summary>
public enum FeaturePooling
{
    /// <summary>The mean over all tokens, the one for the beginning of the text among them.</summary>
    Mean = 0,

    /// <summary>The last token's, which is the only one that has read all of the text.</summary>
    LastToken = 1,
}
