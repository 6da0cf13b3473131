namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Names of the columns that the components read and write unless told otherwise.</summary>
internal static class DefaultColumnNames
{
    public const string Text = "Text";
    public const string LogProbability = "LogProbability";
    public const string TokenCount = "TokenCount";
    public const string Perplexity = "Perplexity";
    public const string ChainsUsed = "ChainsUsed";
    public const string Features = "Features";
    public const string Label = "Label";
    public const string PredictedLabel = "PredictedLabel";
    public const string Score = "Score";
    public const string Probability = "Probability";
    public const string Prompt = "Prompt";
    public const string Response = "Response";
    public const string Context = "Context";
    public const string Choices = "Choices";
    public const string NormalizedScore = "NormalizedScore";
    public const string NormalizedPredictedLabel = "NormalizedPredictedLabel";
}
