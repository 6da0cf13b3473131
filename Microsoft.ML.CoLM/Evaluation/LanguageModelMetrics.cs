using Microsoft.ML.CoLM.Evaluation;

namespace Microsoft.ML.CoLM;

/// <summary>How well a language model predicts texts, at one chain count.</summary>
/// <remarks>
/// What is scored is added up over all texts, and then divided, as EleutherAI's lm-evaluation-harness does for
/// <c>word_perplexity</c> and <c>bits_per_byte</c>: long texts count for more than short ones.
/// </remarks>
public sealed class LanguageModelMetrics
{
    internal LanguageModelMetrics()
    {
    }

    /// <summary>The chain count; 0 where the rows do not say, as those of a cascade.</summary>
    public int ChainCount { get; internal init; }

    /// <summary>Mean negative log-probability of a scored token, natural log.</summary>
    public double Loss { get; internal init; }

    /// <summary>exp(<see cref="Loss"/>), of a token; infinite where that is beyond a double.</summary>
    public double Perplexity { get; internal init; }

    /// <summary>Negative log-probability in bits for each byte of the texts in UTF-8.</summary>
    public double BitsPerByte { get; internal init; }

    /// <summary>
    /// exp of the negative log-probability for each word; infinite where that is beyond a double. Words are the pieces of a text
    /// between runs of white space, empty ones at its ends counted, as the harness has it (Python's <c>re.split(r"\s+", text)</c>).
    /// </summary>
    public double WordPerplexity { get; internal init; }

    /// <summary>Tokens scored.</summary>
    public long TokenCount { get; internal init; }

    /// <param name="chainCount">The chain count, or 0.</param>
    /// <param name="logProbability">Natural log, summed over all tokens.</param>
    /// <param name="counts">What it is divided by; none of them is 0.</param>
    internal static LanguageModelMetrics Of(int chainCount, double logProbability, TextCounts counts) => new()
    {
        ChainCount = chainCount,
        Loss = -logProbability / counts.Tokens,
        Perplexity = Math.Exp(-logProbability / counts.Tokens),
        BitsPerByte = -logProbability / (counts.Bytes * Math.Log(2)),
        WordPerplexity = Math.Exp(-logProbability / counts.Words),
        TokenCount = counts.Tokens,
    };
}
