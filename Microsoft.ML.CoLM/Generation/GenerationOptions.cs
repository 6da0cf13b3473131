using System.Text;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

/// <summary>How to generate text. Names and meanings are those of Hugging Face's <c>generate</c>.</summary>
/// <remarks>
/// The defaults are greedy: the most probable token each time, so the same prompt always yields the same text. To sample, set
/// <see cref="Temperature"/>. The options are copied when generation begins.
/// </remarks>
public sealed class GenerationOptions
{
    /// <summary>
    /// The maximum number of tokens to generate, at least 1. If prompt and new tokens would exceed the model's context,
    /// generation ends at the context, with <see cref="FinishReason.Length"/>. Default: 128.
    /// </summary>
    public int MaxNewTokens { get; set; } = 128;

    /// <summary>
    /// The divisor of the logits before sampling: 1 samples from the model's own distribution, less favours probable tokens. 0
    /// is greedy: the most probable token, of equals the one with the lowest id; <see cref="TopK"/>, <see cref="TopP"/>,
    /// <see cref="MinP"/> and <see cref="Seed"/> then have no effect. Default: 0.
    /// </summary>
    public double Temperature { get; set; }

    /// <summary>Samples from this many most probable tokens; null from all. Default: null.</summary>
    public int? TopK { get; set; }

    /// <summary>
    /// Samples from the fewest most probable tokens whose probabilities, after <see cref="TopK"/>, add up to this; above 0, and
    /// 1 for all tokens. Default: 1.
    /// </summary>
    public double TopP { get; set; } = 1;

    /// <summary>
    /// Samples from tokens at least this many times as probable as the most probable one, from 0, for all, to 1. Default: 0.
    /// </summary>
    public double MinP { get; set; }

    /// <summary>
    /// Penalizes tokens that the prompt or the text already contains: their logits are divided by this if positive, and
    /// multiplied by it otherwise. Above 0; 1 is no penalty, and values below 1 make them more probable. Default: 1.
    /// </summary>
    public double RepetitionPenalty { get; set; } = 1;

    /// <summary>
    /// The seed of the random numbers; prompt i of a batch, counted from 0, draws as it would alone with seed + i. Null draws a
    /// seed. Default: null.
    /// </summary>
    public int? Seed { get; set; }

    /// <summary>
    /// Texts that end generation at the first one to be completed. The stop text is not part of the result, and neither is the
    /// rest of its token. If two are completed by the same character, the longer one counts. Default: none.
    /// </summary>
    public IReadOnlyList<string> StopTexts { get; set; } = [];

    /// <summary>
    /// Tokens that end generation in addition to the model's own <see cref="CoLMModel.EndTokenIds"/>. The text of the ending
    /// token is not part of the result's text. Default: none.
    /// </summary>
    public IReadOnlyList<int> StopTokenIds { get; set; } = [];

    /// <summary>
    /// Whether text in a prompt that spells a special token (<c>&lt;/s&gt;</c>, <c>&lt;|eot_id|&gt;</c>) is encoded as that
    /// token, as in Hugging Face's tokenizers. False treats it as plain text, so users' input cannot end a turn or begin
    /// another. Default: true.
    /// </summary>
    /// <remarks>Applies to tokenizers from <see cref="CoLMTokenizer"/>; others decide for themselves.</remarks>
    public bool ParseSpecialTokens { get; set; } = true;

    /// <summary>The number of chains to compute, from 1 to the model's; null for all. Default: null.</summary>
    public int? ChainCount { get; set; }

    /// <summary>
    /// Called before each token to choose how many chains compute it; null always uses <see cref="ChainCount"/>. With KV
    /// sharing no key or value is ever recomputed; without it, those that later chains lack are computed when first used.
    /// Default: null.
    /// </summary>
    public ChainSchedule? ChainSchedule { get; set; }

    /// <summary>
    /// Drafts tokens with the first chain and verifies them with all chains in use, in one pass. Greedy text is the same as
    /// without it, and sampled text follows the same distribution (Leviathan et al. 2023). Has no effect if only one chain is
    /// in use. A batch's prompts are then generated one after another. Default: false.
    /// </summary>
    public bool SpeculativeDecoding { get; set; }

    /// <summary>
    /// The maximum number of tokens to draft at once, at least 1; the actual number depends on the first chain's confidence and
    /// on how often it was right. Default: 8.
    /// </summary>
    public int MaxDraftTokens { get; set; } = 8;

    internal int ChainsInUse(CoLMConfig config) => ChainCount ?? config.ChainCount;

    internal bool Speculates(CoLMConfig config) => SpeculativeDecoding && ChainsInUse(config) > 1;

    /// <summary>A validated copy that later changes do not affect.</summary>
    /// <exception cref="ArgumentException">An option is out of range; the message names it.</exception>
    internal GenerationOptions Checked(CoLMConfig config)
    {
        ArgumentNullException.ThrowIfNull(StopTexts);
        ArgumentNullException.ThrowIfNull(StopTokenIds);
        var copy = (GenerationOptions)MemberwiseClone();
        copy.StopTexts = [.. StopTexts];
        copy.StopTokenIds = [.. StopTokenIds];
        copy.Check(config);
        return copy;
    }

    private void Check(CoLMConfig config)
    {
        OptionCheck.That(MaxNewTokens >= 1, nameof(MaxNewTokens), MaxNewTokens, "at least 1");
        OptionCheck.That(Temperature >= 0 && float.IsFinite((float)Temperature), nameof(Temperature), Temperature,
            "a number of at least 0");
        OptionCheck.That(TopK is null or >= 1, nameof(TopK), TopK, "at least 1, or null for all tokens");
        OptionCheck.That(TopP is > 0 and <= 1, nameof(TopP), TopP, "above 0 and at most 1");
        OptionCheck.That(MinP is >= 0 and <= 1, nameof(MinP), MinP, "at least 0 and at most 1");
        OptionCheck.That((float)RepetitionPenalty is > 0 and < float.PositiveInfinity, nameof(RepetitionPenalty),
            RepetitionPenalty, "a number above 0");
        foreach (var text in StopTexts)
        {
            OptionCheck.That(!string.IsNullOrEmpty(text), nameof(StopTexts), text is null ? "null" : "an empty one",
                "texts of at least one character");
            OptionCheck.That(Encoding.UTF8.GetString(Encoding.UTF8.GetBytes(text!)) == text, nameof(StopTexts),
                "half a surrogate pair", "Unicode texts");
        }
        foreach (var id in StopTokenIds)
        {
            OptionCheck.That(id >= 0 && id < config.VocabularySize, nameof(StopTokenIds), id,
                $"at least 0 and below the vocabulary of {config.VocabularySize}");
        }
        OptionCheck.That(ChainCount is null || (ChainCount >= 1 && ChainCount <= config.ChainCount), nameof(ChainCount),
            ChainCount, $"between 1 and the model's {config.ChainCount} chains ({{{config.Layout}}})");
        OptionCheck.That(ChainSchedule is null || ChainCount is null, nameof(ChainSchedule), "both",
            $"null where {nameof(ChainCount)} is given");
        OptionCheck.That(ChainSchedule is null || !SpeculativeDecoding, nameof(ChainSchedule), "both",
            $"null with {nameof(SpeculativeDecoding)}, which needs the same chains for all tokens");
        OptionCheck.That(MaxDraftTokens >= 1, nameof(MaxDraftTokens), MaxDraftTokens, "at least 1");
    }
}
