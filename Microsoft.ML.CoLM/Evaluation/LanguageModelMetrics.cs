namespace Microsoft.ML.CoLM;

/// <summary>How well a language model predicts texts, at one chain count.</summary>
public sealed class LanguageModelMetrics
{
    internal LanguageModelMetrics()
    {
    }

    /// <summary>The chain count; 0 where the rows do not say.</summary>
    public int ChainCount { get; internal init; }

    /// <summary>Mean negative log-probability of a scored token, natural log.</summary>
    public double Loss { get; internal init; }

    /// <summary>exp(<see cref="Loss"/>).</summary>
    public double Perplexity { get; internal init; }

    /// <summary>Negative log-probability in bits for each byte of the texts in UTF-8.</summary>
    public double BitsPerByte { get; internal init; }

    /// <summary>exp of the negative log-probability for each word, words being what white space divides.</summary>
    public double WordPerplexity { get; internal init; }

    /// <summary>Tokens scored.</summary>
    public long TokenCount { get; internal init; }
}
