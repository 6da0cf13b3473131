using Microsoft.ML.CoLM.Chains;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>One walk of a range of chains through the model.</summary>
/// <param name="Chains">The chains to compute.</param>
/// <param name="Batch">Sequences.</param>
/// <param name="Length">Tokens of each sequence.</param>
/// <param name="Cosine">[length, d / 2], of the positions' angles, or as many dimensions as it takes to tell sequences apart.</param>
/// <param name="Sine">As <paramref name="Cosine"/>.</param>
/// <param name="Earlier">Features of all chains before the range; null when it begins with the first.</param>
/// <param name="Kept">Where to keep the features for a later range; null to keep none.</param>
/// <param name="Cache">Keys and values of the tokens before; null where the sequences begin with the pass.</param>
/// <param name="Adapters">What is added to the projections of later chains; null for nothing.</param>
/// <param name="KeyMask">
/// [batch · KV heads, 1, length, keys], Boolean: which keys of the chains before are read; null for all up to a token's own.
/// </param>
internal sealed record ForwardPass(
    ChainRange Chains, long Batch, long Length, Tensor Cosine, Tensor Sine, ChainFeatures? Earlier, ChainFeatures? Kept,
    IKeyValueCache? Cache = null, LowRankAdapters? Adapters = null, Tensor? KeyMask = null)
{
    /// <summary>
    /// Applies a projection at one of the layer's sites: adds the features of the chains before the range.
    /// </summary>
    public Tensor Apply(ChainLinear linear, Tensor x, int layer, FeatureSite site, Projection projection) =>
        Apply(linear, x, Chains, Earlier?[layer, site], layer, projection);

    /// <summary>Applies a projection for some chains; parameters as in <see cref="ChainLinear.forward"/>.</summary>
    public Tensor Apply(
        ChainLinear linear, Tensor x, ChainRange chains, Tensor? earlier, int layer, Projection projection)
    {
        var y = linear.forward(x, chains, earlier);
        return Adapters?.Find(layer, projection) is { } adapter ? adapter.AddTo(y, x, chains, earlier) : y;
    }

    public void Keep(int layer, FeatureSite site, Tensor features) => Kept?.Keep(layer, site, features);
}
