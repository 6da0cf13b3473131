namespace Microsoft.ML.CoLM;

/// <summary>A generated text.</summary>
/// <param name="Text">
/// The continuation, without the prompt, without a stop text, and without the token that ended it. It is what all
/// tokens decode to beyond the prompt.
/// </param>
/// <param name="TokenIds">
/// The generated tokens; where an end-of-text or stop token ended them, it is the last one.
/// </param>
/// <param name="FinishReason">Why generation ended.</param>
/// <param name="PromptTokenCount">The prompt's tokens, its beginning-of-text token included.</param>
/// <param name="Statistics">What it took.</param>
public sealed record GenerationResult(
    string Text, IReadOnlyList<int> TokenIds, FinishReason FinishReason, int PromptTokenCount,
    GenerationStatistics Statistics);
