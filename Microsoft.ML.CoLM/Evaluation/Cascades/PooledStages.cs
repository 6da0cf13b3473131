using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>
/// As <see cref="ChainStages"/>, for one vector of each sequence, in float32. Where that is the last token's, with KV sharing
/// the chains behind the first are computed at that token alone.
/// </summary>
internal sealed class PooledStages : IDisposable
{
    private readonly CoLMModel _model;
    private readonly FeaturePooling _pooling;
    private readonly ChainStages? _allTokens;
    private PaddedBatch _batch;
    private ChainFeatures? _features;
    private int _chainCount;

    /// <param name="model">The model.</param>
    /// <param name="batch">Sequences, checked.</param>
    /// <param name="pooling">What becomes of a sequence's tokens.</param>
    public PooledStages(CoLMModel model, PaddedBatch batch, FeaturePooling pooling)
    {
        (_model, _batch, _pooling) = (model, batch, pooling);
        if (!model.Config.KvSharing || pooling != FeaturePooling.LastToken)
            _allTokens = new ChainStages(model, batch.TokenIds(model.Device), batch.Lengths);
    }

    /// <summary>Runs the chains from the last count up to this one.</summary>
    /// <param name="chainCount">How many chains, more than before.</param>
    /// <param name="isLast">Whether no further chains will be run.</param>
    /// <returns>The chains that were added, and their normalised features, pooled, [sequences, width of the added chains].</returns>
    public (ChainRange Chains, Tensor Features) Advance(int chainCount, bool isLast)
    {
        using var scope = NewDisposeScope();
        var chains = new ChainRange(_chainCount, chainCount);
        var features = _allTokens is { } stages
            ? _batch.Pool(stages.Advance(chainCount, isLast).Features, _pooling)
            : AtLast(chains, isLast).to(float32);
        _chainCount = chainCount;
        return (chains, features.MoveToOuterDisposeScope());
    }

    /// <summary>Tokens, padding included, at which a chain is computed.</summary>
    public long Tokens(int chain) => _batch.Count * (long)(_allTokens is null && chain > 0 ? 1 : _batch.Length);

    /// <summary>Goes on with some of the sequences only.</summary>
    /// <param name="sequences">Which of those that are left.</param>
    public void Take(int[] sequences)
    {
        using var scope = NewDisposeScope();
        var kept = Array.ConvertAll(sequences, i => (long)i);
        _allTokens?.Take(kept);
        _features?.Take(tensor(kept, device: _model.Device), _batch.Count);
        _batch = _batch.Take(sequences);
    }

    public void Dispose()
    {
        _allTokens?.Dispose();
        _features?.Dispose();
    }

    private Tensor AtLast(ChainRange chains, bool isLast)
    {
        if (_features is not null)
            return Added(chains, isLast);
        var (ids, rows) = (_batch.TokenIds(_model.Device), _batch.LastRows(_model.Device));
        if (isLast && chains.End == 1)
            return _model.Features(ids, chains, lengths: _batch.Lengths).index_select(0, rows);
        // The first chain at all tokens: its keys and values are everyone's.
        _features = _model.Keep(ids, 1, rows, _batch.Lengths);
        var first = _features.HeadInput!;
        return chains.End == 1 ? first.alias() : cat([first, Added(chains with { First = 1 }, isLast)], dim: 1);
    }

    private Tensor Added(ChainRange chains, bool isLast)
    {
        using var added = isLast ? null : new ChainFeatures(_model.Config.LayerCount);
        var features = _model.LastFeatures(_batch, chains, _features!, added);
        if (added is not null)
            _features!.Append(added);
        return features;
    }
}
