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
    /// The continuation, without the prompt, without a stop text, and without the token that ended it: what all tokens decode
    /// to beyond the prompt.
    /// </summary>
    public string Text { get; }

    /// <summary>
    /// The ids of the generated tokens; if an end-of-text or stop token ended generation, it is the last one.
    /// </summary>
    public IReadOnlyList<int> TokenIds { get; }

    /// <summary>Why generation ended.</summary>
    public FinishReason FinishReason { get; }

    /// <summary>The ids of the prompt's tokens, including its beginning-of-text token.</summary>
    public int PromptTokenCount { get; }

    /// <summary>The statistics of this generation.</summary>
    public GenerationStatistics Statistics { get; }

    /// <summary>Returns the text.</summary>
    public override string ToString() => Text;
}
