using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>The token that a text's first token is predicted from.</summary>
internal static class PrefixToken
{
    /// <summary>
    /// A document with its prefix in front: what the tokenizer begins it with, or, where that is nothing, the model's
    /// beginning-of-text token, or, where it has none, an end-of-text token, as lm-evaluation-harness has it. An empty one stays so.
    /// </summary>
    /// <param name="ids">Token ids of <see cref="TokenizerExtensions.EncodeRow"/>.</param>
    /// <param name="tokenizer">What they are of.</param>
    /// <param name="config">The model, which has one of the two tokens.</param>
    public static int[] Before(int[] ids, Tokenizer tokenizer, CoLMConfig config)
    {
        var begins = tokenizer.BeginningOfText() is not null || (tokenizer is not ModelTokenizer && config.BosTokenId is not null);
        return begins || ids.Length == 0 ? ids : [config.BosTokenId ?? config.EosTokenIds[0], .. ids];
    }
}
