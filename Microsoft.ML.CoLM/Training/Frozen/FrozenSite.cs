using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>One of the places at which later chains read what frozen chains computed.</summary>
/// <param name="Layer">The layer; of no meaning for the head's input.</param>
/// <param name="Site">The place in the layer; null for what a head reads.</param>
/// <param name="Groups">Key-value heads, where it is keys or values: their tokens stand apart; otherwise 1.</param>
/// <param name="Width">Numbers of a token, in each group.</param>
/// <param name="IsOfLast">Whether the last token's numbers are all that is read.</param>
internal sealed record FrozenSite(int Layer, FeatureSite? Site, int Groups, int Width, bool IsOfLast)
{
    /// <summary>All places, in a fixed order.</summary>
    /// <param name="config">The model.</param>
    /// <param name="chainCount">How many chains are frozen.</param>
    /// <param name="ofLast">Whether later chains are computed at the last token alone, which reads all keys and values.</param>
    public static FrozenSite[] Of(CoLMConfig config, int chainCount, bool ofLast)
    {
        var features = new FeatureLayout(config);
        var (hidden, queries) = (features.Hidden[chainCount], features.Queries[chainCount]);
        var intermediate = features.Intermediate[chainCount];
        List<FrozenSite> sites = [];
        for (var layer = 0; layer < config.LayerCount; layer++)
        {
            sites.Add(new(layer, FeatureSite.AttentionInput, 1, hidden, ofLast));
            if (config.KvSharing)
            {
                sites.Add(new(layer, FeatureSite.Keys, config.KeyValueHeads(0), config.HeadWidth, IsOfLast: false));
                sites.Add(new(layer, FeatureSite.Values, config.KeyValueHeads(0), config.HeadWidth, IsOfLast: false));
            }
            sites.Add(new(layer, FeatureSite.AttentionOutput, 1, queries, ofLast));
            sites.Add(new(layer, FeatureSite.FeedForwardInput, 1, hidden, ofLast));
            sites.Add(new(layer, FeatureSite.FeedForwardHidden, 1, intermediate, ofLast));
        }
        sites.Add(new(0, Site: null, 1, hidden, ofLast));
        return [.. sites];
    }

    /// <summary>The site's tensor.</summary>
    public Tensor In(ChainFeatures features) => Site is { } site ? features[Layer, site] : features.HeadInput!;

    /// <summary>Makes a tensor the site's.</summary>
    public void Keep(ChainFeatures features, Tensor tensor)
    {
        if (Site is { } site)
            features.Keep(Layer, site, tensor);
        else
            features.KeepHeadInput(tensor);
    }

    /// <summary>The shape of a batch's tensor.</summary>
    public long[] Shape(int sequences, int length) => Site is FeatureSite.Keys or FeatureSite.Values
        ? [(long)sequences * Groups, 1, length, Width]
        : [(long)sequences * Tokens(length), Width];

    /// <summary>Tokens of so many that the site has numbers of.</summary>
    public int Tokens(int length) => IsOfLast ? 1 : length;
}
