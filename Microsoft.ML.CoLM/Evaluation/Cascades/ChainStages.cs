using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>
/// A batch that is run through more and more chains: each time only the chains that are added are computed, on top of
/// the features that are there, and only for the windows that are left.
/// </summary>
internal sealed class ChainStages : IDisposable
{
    private readonly CoLMModel _model;
    private Tensor _tokenIds;
    private ChainFeatures? _features;
    private IReadOnlyList<int> _lengths;
    private int _chainCount;

    /// <param name="model">The model.</param>
    /// <param name="tokenIds">[windows, length], checked; taken over.</param>
    /// <param name="lengths">Tokens of each window, without padding.</param>
    public ChainStages(CoLMModel model, Tensor tokenIds, IReadOnlyList<int> lengths)
    {
        (_model, _lengths) = (model, lengths);
        _tokenIds = tokenIds.DetachFromDisposeScope();
    }

    /// <summary>Windows that are left.</summary>
    public long Count => _tokenIds.size(0);

    /// <summary>Runs the chains from the last count up to this one.</summary>
    /// <param name="chainCount">How many chains, more than before.</param>
    /// <param name="isLast">Whether no further chains will be run, so that nothing has to be kept for them.</param>
    /// <returns>
    /// The chains that were added, and their normalised features, [windows · length, width of the added chains].
    /// </returns>
    public (ChainRange Chains, Tensor Features) Advance(int chainCount, bool isLast)
    {
        var chains = new ChainRange(_chainCount, chainCount);
        var earlier = _features;
        using var added = isLast ? null : new ChainFeatures(_model.Config.LayerCount);
        var features = _model.Features(_tokenIds, chains, earlier, added, lengths: _lengths);
        if (added is not null)
        {
            _features ??= new ChainFeatures(_model.Config.LayerCount);
            _features.Append(added);
        }
        _chainCount = chainCount;
        return (chains, features);
    }

    /// <summary>Goes on with some of the windows only.</summary>
    /// <param name="windows">Which of those that are left.</param>
    public void Take(IReadOnlyList<long> windows)
    {
        using var kept = tensor([.. windows], device: _model.Device);
        _features?.Take(kept, Count);
        var all = _tokenIds;
        _tokenIds = all.index_select(0, kept).DetachFromDisposeScope();
        _lengths = [.. windows.Select(window => _lengths[(int)window])];
        all.Dispose();
    }

    public void Dispose()
    {
        _tokenIds.Dispose();
        _features?.Dispose();
    }
}
