using Microsoft.ML.CoLM.Inference;

namespace Microsoft.ML.CoLM;

public sealed partial class TextGenerator
{
    /// <summary>
    /// Reads a prompt into a KV cache, for this process or another one to continue from: with KV sharing (CoLM-Air, arXiv
    /// 2505.11820) through the first chain alone, whatever the later chain count.
    /// </summary>
    /// <param name="prompt">The text; an empty one consists of the beginning-of-text token alone.</param>
    /// <param name="capacity">
    /// The maximum number of tokens of prompt and continuation, which is allocated at once; null allocates what the prompt
    /// needs, and lets the cache grow in <see cref="Continue"/>, up to the model's context.
    /// </param>
    /// <param name="chainCount">
    /// Without KV sharing, the chain count to continue with; null for all. Ignored with KV sharing.
    /// </param>
    /// <param name="cancellationToken">Cancels between chunks of the prompt.</param>
    /// <returns>The cache, which the caller disposes.</returns>
    /// <exception cref="ArgumentException">
    /// The prompt exceeds the capacity or the context, has tokens outside the vocabulary, or is empty although the model has no
    /// beginning-of-text token; or the capacity or the chain count is out of range.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    /// <exception cref="OperationCanceledException">The operation was cancelled.</exception>
    public KvCache Prefill(
        string prompt, int? capacity = null, int? chainCount = null, CancellationToken cancellationToken = default)
    {
        _model.CheckUsable();
        var tokens = Encode(prompt, nameof(prompt));
        var chains = chainCount ?? _model.Config.ChainCount;
        _model.Config.Layout.CheckChainCount(chains);
        var cache = capacity is { } most ? new KvCache(_model, most) : KvCache.Growing(_model, _model.Config.ContextLength);
        try
        {
            if (tokens.Length > cache.Limit)
            {
                throw new ArgumentException(
                    $"{nameof(prompt)} has {tokens.Length} tokens, which is more than the capacity of {cache.Limit}.",
                    nameof(prompt));
            }
            using var session = DecodingSession.Create(_model, cache, ownsCache: false, mayGrow: false);
            session.Prefill(0, tokens, chains, cancellation: cancellationToken);
            return cache;
        }
        catch
        {
            cache.Dispose();
            throw;
        }
    }

    /// <summary>Continues the tokens of a cache's first sequence, and appends the new ones to it.</summary>
    /// <param name="cache">
    /// A cache of this model, with at least one token. Afterwards it also holds what was generated, except for the last token.
    /// </param>
    /// <param name="options">
    /// How to generate. Without KV sharing, the chain count is at most the one that the cache was filled at. Null uses the
    /// defaults, which are greedy.
    /// </param>
    /// <param name="cancellationToken">Cancels before the next pass.</param>
    /// <returns>
    /// The continuation; it ends with <see cref="FinishReason.Length"/> when a cache created with a capacity is full, or at the
    /// model's context.
    /// </returns>
    /// <exception cref="ArgumentException">
    /// An option is out of range, or the cache is empty or for another architecture, type, device or rotary embedding.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The model or the cache was disposed, before or during the call.</exception>
    /// <exception cref="InvalidOperationException">
    /// The model's logits are NaN or infinite, more chains are requested than the cache was filled at, or another call is using
    /// the cache.
    /// </exception>
    /// <exception cref="OperationCanceledException">The operation was cancelled.</exception>
    public GenerationResult Continue(
        KvCache cache, GenerationOptions? options = null, CancellationToken cancellationToken = default)
    {
        ArgumentNullException.ThrowIfNull(cache);
        cache.CheckFits(_model);
        if (cache.Length() == 0)
            throw new ArgumentException($"{nameof(cache)} must have a token to begin with, but it is empty.", nameof(cache));
        using var session = DecodingSession.Create(_model, cache, ownsCache: false, mayGrow: false);
        return Resume(session, [.. cache.Tokens()], options, cache.Limit, onText: null, cancellationToken);
    }
}
