using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// Memory for the features of some rows, at the sites where later chains read those of earlier ones. With
/// <see cref="KeepsLayers"/> every layer has memory of its own, so that chains can be computed later; without, layers
/// take turns.
/// </summary>
internal sealed class FeatureStore : IDisposable
{
    /// <summary>The sites that are kept; keys and values are in the cache.</summary>
    public static readonly FeatureSite[] Sites =
    [
        FeatureSite.AttentionInput, FeatureSite.AttentionOutput, FeatureSite.FeedForwardInput,
        FeatureSite.FeedForwardHidden,
    ];

    private readonly Tensor[,] _tensors;
    private readonly int _sequences;

    /// <param name="config">The model.</param>
    /// <param name="columns">Its features.</param>
    /// <param name="rows">Rows of each sequence.</param>
    /// <param name="keepsLayers">Whether every layer has memory of its own.</param>
    /// <param name="dtype">The features' type.</param>
    /// <param name="device">Where they live.</param>
    /// <param name="sequences">Sequences, whose rows lie behind each other.</param>
    public FeatureStore(
        CoLMConfig config, FeatureLayout columns, int rows, bool keepsLayers, ScalarType dtype, Device? device = null,
        int sequences = 1)
    {
        (KeepsLayers, Rows, _sequences) = (keepsLayers, rows, sequences);
        var layers = keepsLayers ? config.LayerCount : 1;
        _tensors = new Tensor[layers, Sites.Length];
        for (var layer = 0; layer < layers; layer++)
        {
            for (var site = 0; site < Sites.Length; site++)
            {
                _tensors[layer, site] = zeros([(long)sequences * rows, OffsetsOf(columns, Sites[site])[^1]], dtype: dtype, device: device)
                    .DetachFromDisposeScope();
            }
        }
    }

    public bool KeepsLayers { get; }

    /// <summary>Rows of each sequence.</summary>
    public int Rows { get; private set; }

    /// <summary>[sequences · rows, width of all chains].</summary>
    public Tensor this[int layer, FeatureSite site] => _tensors[KeepsLayers ? layer : 0, Array.IndexOf(Sites, site)];

    /// <summary>Where chains lie in a row of a site.</summary>
    public static int[] OffsetsOf(FeatureLayout columns, FeatureSite site) => site switch
    {
        FeatureSite.AttentionInput or FeatureSite.FeedForwardInput => columns.Hidden,
        FeatureSite.AttentionOutput => columns.Queries,
        _ => columns.Intermediate,
    };

    /// <summary>The row of a sequence's position.</summary>
    public long Row(int sequence, int position) => (long)sequence * Rows + position;

    /// <summary>Gives each sequence room for so many rows; those that are there stay, in other tensors.</summary>
    public void Reserve(int rows)
    {
        if (rows <= Rows)
            return;
        using var noGradients = no_grad();
        var grown = new Tensor[_tensors.GetLength(0), _tensors.GetLength(1)];
        try
        {
            ForEach((layer, site) => grown[layer, site] = empty(
                [(long)_sequences * rows, _tensors[layer, site].size(1)], _tensors[layer, site].dtype, _tensors[layer, site].device)
                .DetachFromDisposeScope());
        }
        catch
        {
            foreach (var tensor in grown)
                tensor?.Dispose();
            throw;
        }
        ForEach((layer, site) =>
        {
            using var scope = NewDisposeScope();
            var old = _tensors[layer, site];
            var (from, to) = (old.view(_sequences, Rows, -1), grown[layer, site].view(_sequences, rows, -1));
            to.narrow(1, 0, Rows).copy_(from);
            to.narrow(1, Rows, rows - Rows).zero_();
            _tensors[layer, site] = grown[layer, site];
            old.Dispose();
        });
        Rows = rows;
    }

    public void Dispose()
    {
        foreach (var tensor in _tensors)
            tensor.Dispose();
    }

    private void ForEach(Action<int, int> action)
    {
        for (var layer = 0; layer < _tensors.GetLength(0); layer++)
        {
            for (var site = 0; site < _tensors.GetLength(1); site++)
                action(layer, site);
        }
    }
}
