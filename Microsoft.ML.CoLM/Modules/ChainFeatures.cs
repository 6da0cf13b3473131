using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>
/// What the first chains computed in one forward pass: all that later chains need to be computed on top of them.
/// </summary>
/// <remarks>
/// Each is [rows, width of the chains]; <see cref="FeatureSite.Keys"/> and <see cref="FeatureSite.Values"/> are
/// [batch · KV heads, 1, length, d].
/// </remarks>
/// <param name="layerCount">The model's layers.</param>
/// <param name="rows">
/// [kept], Int64: the rows to keep, where later chains are computed at these alone; keys and values are kept whole. Null
/// keeps all.
/// </param>
internal sealed class ChainFeatures(int layerCount, Tensor? rows = null) : IDisposable
{
    private readonly Tensor?[,] _sites = new Tensor?[layerCount, Enum.GetValues<FeatureSite>().Length];

    /// <summary>Logits [rows, V] at the scale of these chains.</summary>
    public Tensor? Logits { get; private set; }

    /// <summary>[rows, width of the chains], normalised: what a head reads.</summary>
    public Tensor? HeadInput { get; private set; }

    public Tensor this[int layer, FeatureSite site] =>
        _sites[layer, (int)site] ?? throw new InvalidOperationException($"Layer {layer} kept no {site}.");

    /// <summary>Keeps a reference of its own to a tensor; the caller goes on owning the one it gave.</summary>
    public void Keep(int layer, FeatureSite site, Tensor features) =>
        _sites[layer, (int)site] = site is FeatureSite.Keys or FeatureSite.Values
            ? features.alias().DetachFromDisposeScope()
            : Chosen(features);

    /// <summary>Keeps what a head reads, as <see cref="Keep"/> does.</summary>
    public void KeepHeadInput(Tensor features) => HeadInput = Chosen(features);

    /// <summary>Whether some rows are kept, not all.</summary>
    public bool ChoosesRows => rows is not null;

    /// <summary>
    /// To keep what is chosen of some neighbouring rows, where rows are chosen in rising order; null where none of them is.
    /// </summary>
    /// <param name="start">The first of the rows.</param>
    /// <param name="count">How many.</param>
    /// <returns>The caller's to dispose, before its dispose scope ends.</returns>
    public ChainFeatures? Part(long start, long count)
    {
        using var scope = NewDisposeScope();
        long[] own = [.. rows!.cpu().data<long>().Where(row => row >= start && row < start + count).Select(row => row - start)];
        return own.Length == 0
            ? null : new ChainFeatures(layerCount, tensor(own, device: rows.device).MoveToOuterDisposeScope());
    }

    /// <summary>Takes over the rows of a layer that follow those that are there.</summary>
    public void AppendRows(int layer, ChainFeatures later)
    {
        for (var site = 0; site < _sites.GetLength(1); site++)
        {
            if (later._sites[layer, site] is not { } added)
                continue;
            later._sites[layer, site] = null;
            _sites[layer, site] = Joined(_sites[layer, site], added, dim: 0);
        }
    }

    /// <summary>Takes over the sites of the chains behind these, which were computed on top of them.</summary>
    public void Append(ChainFeatures later)
    {
        for (var layer = 0; layer < _sites.GetLength(0); layer++)
        {
            for (var site = 0; site < _sites.GetLength(1); site++)
            {
                // Keys and values that the chains share are the first one's: a later chain keeps none.
                if (later._sites[layer, site] is not { } added)
                    continue;
                later._sites[layer, site] = null;
                _sites[layer, site] = Joined(_sites[layer, site], added, dim: 1);
            }
        }
    }

    /// <summary>Keeps the sites of some sequences only; the logits must not be there.</summary>
    /// <param name="sequences">[kept], Int64: which of the batch's sequences.</param>
    /// <param name="batch">How many sequences there are.</param>
    public void Take(Tensor sequences, long batch)
    {
        using var scope = NewDisposeScope();
        for (var layer = 0; layer < _sites.GetLength(0); layer++)
        {
            for (var site = 0; site < _sites.GetLength(1); site++)
            {
                // All of a sequence stands together at every site: [batch, all of it].
                if (_sites[layer, site] is not { } all)
                    continue;
                _sites[layer, site] = all.reshape(batch, -1).index_select(0, sequences)
                    .view([-1, .. all.shape[1..]]).DetachFromDisposeScope();
                all.Dispose();
            }
        }
    }

    /// <summary>Keeps the logits as <see cref="Keep"/> does.</summary>
    public void KeepLogits(Tensor logits) => Logits = logits.alias().DetachFromDisposeScope();

    private static Tensor Joined(Tensor? own, Tensor added, long dim)
    {
        if (own is null)
            return added;
        using (own)
        using (added)
            return cat([own, added], dim).DetachFromDisposeScope();
    }

    private Tensor Chosen(Tensor features) =>
        (rows is null ? features.alias() : features.index_select(0, rows)).DetachFromDisposeScope();

    public void Dispose()
    {
        foreach (var tensor in _sites)
            tensor?.Dispose();
        HeadInput?.Dispose();
        Logits?.Dispose();
    }
}
