using Microsoft.ML.CoLM.Evaluation;

namespace Microsoft.ML.CoLM;

/// <summary>How well a language model predicts texts, at one chain count.</summary>
/// <remarks>
/// Scores are summed over all texts before dividing, as in EleutherAI's lm-evaluation-harness for <c>word_perplexity</c> and
/// <c>bits_per_byte</c>: long texts weigh more than short ones.
/// </remarks>
public sealed class LanguageModelMetrics
{
    internal LanguageModelMetrics()
    {
    }

    /// <summary>The chain count; 0 if the rows do not specify one, as with a cascade.</summary>
    public int ChainCount { get; internal init; }

    /// <summary>Mean negative log-probability per scored token, natural log.</summary>
    public double Loss { get; internal init; }

    /// <summary>exp(<see cref="Loss"/>), per token; infinite if it exceeds a double.</summary>
    public double Perplexity { get; internal init; }

    /// <summary>Negative log-probability, in bits per byte of the UTF-8 texts.</summary>
    public double BitsPerByte { get; internal init; }

    /// <summary>
    /// exp of the negative log-probability per word; infinite if it exceeds a double. Words are the pieces of a text between
    /// runs of white space, including empty ones at its ends, as in the harness (Python's <c>re.split(r"\s+", text)</c>).
    /// </summary>
    public double WordPerplexity { get; internal init; }

    /// <summary>The number of tokens scored.</summary>
    public long TokenCount { get; internal init; }

    /// <param name="chainCount">The chain count, or 0.</param>
    /// <param name="logProbability">Natural log, summed over all tokens.</param>
    /// <param name="counts">The divisors; none of them is 0.</param>
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
