using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

/// <summary>A generated text.</summary>
public sealed class GenerationResult
{
    internal GenerationResult(
        string text, ItemList<int> tokenIds, FinishReason finishReason, int promptTokenCount,
        GenerationStatistics statistics)
    {
        (Text, TokenIds, FinishReason) = (text, tokenIds, finishReason);
        (PromptTokenCount, Statistics) = (promptTokenCount, statistics);
    }

    /// <summary>
    /// The continuation, without the prompt, without a stop text, and without the token that ended it. It is what all
    /// tokens decode to beyond the prompt.
    /// </summary>
    public string Text { get; }

    /// <summary>The generated tokens; where an end-of-text or stop token ended them, it is the last one.</summary>
    public IReadOnlyList<int> TokenIds { get; }

    /// <summary>Why generation ended.</summary>
    public FinishReason FinishReason { get; }

    /// <summary>The prompt's tokens, its beginning-of-text token included.</summary>
    public int PromptTokenCount { get; }

    /// <summary>What it took.</summary>
    public GenerationStatistics Statistics { get; }

    /// <summary>The text.</summary>
    public override string ToString() => Text;
}
