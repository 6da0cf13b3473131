using Microsoft.ML.CoLM.Chains;
using TorchSharp;
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
/// <param name="Trees">Which tokens each one reads, where sequences are trees; null where it reads all before it.</param>
internal sealed record ForwardPass(
    ChainRange Chains, long Batch, long Length, Tensor Cosine, Tensor Sine, ChainFeatures? Earlier, ChainFeatures? Kept,
    IKeyValueCache? Cache = null, LowRankAdapters? Adapters = null, Tensor? KeyMask = null, TreeBatch? Trees = null)
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

    /// <summary>
    /// Whether the pass may be made block by block: one sequence, of which nothing is needed but the last layer's features
    /// and what is kept of chosen rows.
    /// </summary>
    public bool CanBeDivided => !torch.is_grad_enabled() && Batch == 1 && Earlier is null &&
        Kept is null or { ChoosesRows: true } && Cache is null && KeyMask is null;

    /// <summary>The part of the pass that some tokens are.</summary>
    /// <param name="start">The first of them.</param>
    /// <param name="length">How many.</param>
    /// <param name="cache">Where they read those before them.</param>
    /// <param name="kept">Where to keep their features; null to keep none.</param>
    public ForwardPass Block(long start, long length, IKeyValueCache cache, ChainFeatures? kept) => this with
    {
        Kept = kept,
        Length = length,
        Cosine = Cosine.narrow(0, start, length),
        Sine = Sine.narrow(0, start, length),
        Cache = cache,
    };

    public void Keep(int layer, FeatureSite site, Tensor features) => Kept?.Keep(layer, site, features);
}
