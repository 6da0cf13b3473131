using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Generation;

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

    /// <param name="config">The model.</param>
    /// <param name="columns">Its features.</param>
    /// <param name="rows">Rows.</param>
    /// <param name="keepsLayers">Whether every layer has memory of its own.</param>
    /// <param name="dtype">The features' type.</param>
    /// <param name="device">Where they live.</param>
    public FeatureStore(
        CoLMConfig config, FeatureLayout columns, long rows, bool keepsLayers, ScalarType dtype, Device? device = null)
    {
        KeepsLayers = keepsLayers;
        var layers = keepsLayers ? config.LayerCount : 1;
        _tensors = new Tensor[layers, Sites.Length];
        for (var layer = 0; layer < layers; layer++)
        {
            for (var site = 0; site < Sites.Length; site++)
            {
                _tensors[layer, site] = zeros([rows, OffsetsOf(columns, Sites[site])[^1]], dtype: dtype, device: device)
                    .DetachFromDisposeScope();
            }
        }
    }

    public bool KeepsLayers { get; }

    /// <summary>[rows, width of all chains].</summary>
    public Tensor this[int layer, FeatureSite site] => _tensors[KeepsLayers ? layer : 0, Array.IndexOf(Sites, site)];

    /// <summary>Where chains lie in a row of a site.</summary>
    public static int[] OffsetsOf(FeatureLayout columns, FeatureSite site) => site switch
    {
        FeatureSite.AttentionInput or FeatureSite.FeedForwardInput => columns.Hidden,
        FeatureSite.AttentionOutput => columns.Queries,
        _ => columns.Intermediate,
    };

    public void Dispose()
    {
        foreach (var tensor in _tensors)
            tensor.Dispose();
    }
}
