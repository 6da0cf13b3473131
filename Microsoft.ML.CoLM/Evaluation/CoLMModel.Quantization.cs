using Microsoft.ML.CoLM.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMModel
{
    // A window of calibration: long enough for attention to be what it is, short enough for many texts.
    private const int LongestWindow = 512;

    /// <summary>
    /// Creates a model in which each chain's matrices are quantised for a sample of text: so that the layers' outputs on it change
    /// least, rather than the weights (GPTQ, Frantar et al. 2022).
    /// </summary>
    /// <param name="formats">
    /// The format of each chain, the first chain's first; null leaves a chain as it is, quantised before or not.
    /// </param>
    /// <param name="texts">
    /// Texts like those that the model is for, in the model's own tokenizer; a few hundred are enough. Not those that the result is
    /// judged by.
    /// </param>
    /// <param name="tokenCount">
    /// The number of tokens to read from the texts, at least 1. Memory and time grow with it: a layer's features of all of them are
    /// kept. Default: 16,384.
    /// </param>
    /// <param name="cancellationToken">Cancels before the next layer.</param>
    /// <returns>As for <see cref="Quantize(WeightFormat?[])"/>.</returns>
    /// <remarks>
    /// Takes minutes for a model of a billion parameters. Embeddings, and heads tied to them, are rounded as without a sample.
    /// </remarks>
    /// <exception cref="ArgumentException">
    /// There is not one format for each chain, a format is not a defined value, a chain to quantise is quantised already, a weight is
    /// NaN or infinite, or the texts have no token.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="tokenCount"/> is below 1.</exception>
    /// <exception cref="InvalidOperationException">The model has no tokenizer.</exception>
    /// <exception cref="OperationCanceledException">The operation was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public CoLMModel Quantize(
        IReadOnlyList<WeightFormat?> formats, IEnumerable<string> texts, int tokenCount = 1 << 14,
        CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(formats);
        ArgumentNullException.ThrowIfNull(texts);
        ArgumentOutOfRangeException.ThrowIfLessThan(tokenCount, 1);
        using var use = Enter();
        using var ids = Windows(texts, tokenCount);
        return QuantizeFor(formats, ids, cancellationToken);
    }

    // Texts one after the other, as in training.
    private Tensor Windows(IEnumerable<string> texts, int tokenCount)
    {
        var (tokenizer, tokens) = (CreateTokenizer(), new List<long>());
        foreach (var text in texts)
        {
            ArgumentNullException.ThrowIfNull(text, nameof(texts));
            tokens.AddRange(tokenizer.EncodeRow(text, Config, nameof(texts)).Select(id => (long)id));
            if (tokens.Count >= tokenCount)
                break;
        }
        if (tokens.Count == 0)
            throw new ArgumentException("The texts to quantise for have no token.", nameof(texts));
        var length = Math.Min(Math.Min(LongestWindow, Config.ContextLength), tokens.Count);
        var count = Math.Max(1, Math.Min(tokens.Count, tokenCount) / length);
        return tensor(tokens.Take(count * length).ToArray(), [count, length], device: Device);
    }
}
