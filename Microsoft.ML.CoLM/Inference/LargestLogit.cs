namespace Microsoft.ML.CoLM.Inference;

/// <summary>The most probable next token of a row.</summary>
/// <param name="Token">Its id, the lowest of several.</param>
/// <param name="Logit">Its logit; NaN where any is.</param>
/// <param name="Probability">Its share of the softmax.</param>
internal readonly record struct LargestLogit(int Token, float Logit, double Probability);
