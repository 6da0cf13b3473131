using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// Generation through libtorch: on CUDA, and for types that the CPU's kernels do not read. Prompts run through the model's
/// modules, and rows, of all sequences together, through <see cref="LayerScript"/>.
/// </summary>
/// <remarks>
/// libtorch's products may round differently for other numbers of rows, so a row's results can differ in the last bits with
/// what is run beside it.
/// </remarks>
internal sealed class ModuleSession : DecodingSession
{
    // On the CPU what a prompt's features take is bounded; a GPU wants as much work at once as its memory holds.
    private const int CpuChunkLength = 512;
    private const int GpuChunkLength = 1 << 16;

    private readonly CoLMModel _model;
    private readonly Scalar _epsilon;
    private readonly RowBuffers _buffers;
    private readonly RotaryTurns _turns;
    private readonly CacheViews _cached;
    private readonly Dictionary<ChainRange, ScriptWeights[]> _weights = [];
    private readonly WidenedWeights _widened;
    private readonly Tensor _logits;
    private readonly float[][] _copies;
    private readonly bool[] _isCopied;

    /// <param name="use">A model, and a cache of its architecture that is not blocked.</param>
    /// <param name="mayGrow">Whether sequences may be run at more chains later than before.</param>
    public ModuleSession(SessionUse use, bool mayGrow) : base(use, use.Model.DataType, mayGrow)
    {
        _model = use.Model;
        try
        {
            _widened = new WidenedWeights(_model.DataType);
            _epsilon = Config.RmsNormEpsilon.ToScalar();
            _buffers = new RowBuffers(Config, Columns, SlotCount, _model.DataType, _model.Device);
            _turns = new RotaryTurns(_model);
            _cached = new CacheViews(Cache, Config);
            _logits = zeros([SlotCount, Config.VocabularySize], dtype: _model.DataType, device: _model.Device)
                .DetachFromDisposeScope();
            _copies = new float[SlotCount][];
            _isCopied = new bool[SlotCount];
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    protected override int ChunkLength => _model.Device.type == DeviceType.CPU ? CpuChunkLength : GpuChunkLength;

    protected override int FewTokens => 0;

    public override ReadOnlySpan<float> Logits(int slot)
    {
        if (!_isCopied[slot])
        {
            using var scope = NewDisposeScope();
            _copies[slot] ??= new float[Config.VocabularySize];
            _logits[slot].to(float32).cpu().data<float>().CopyTo(_copies[slot]);
            _isCopied[slot] = true;
        }
        return _copies[slot];
    }

    public override bool TryFindLargest(int firstSlot, Span<LargestLogit> found)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var logits = _logits.narrow(0, firstSlot, found.Length).to(float32);
        var (largest, tokens) = logits.max(1);
        var probabilities = (largest - logits.logsumexp(1)).exp_();
        // One copy for all; double numbers hold every id.
        var numbers = stack([tokens.to(float64), largest.to(float64), probabilities.to(float64)]).cpu().data<double>();
        for (var i = 0; i < found.Length; i++)
            found[i] = new((int)numbers[i], (float)numbers[found.Length + i], numbers[2 * found.Length + i]);
        return true;
    }

    public override bool TryFindCandidates(int firstSlot, int slotCount, int count, int blockLength, LogitCandidates found)
    {
        var blocks = (Config.VocabularySize + blockLength - 1) / blockLength;
        if (count > blocks)
            return false;
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var logits = _logits.narrow(0, firstSlot, slotCount).to(float32);
        var whole = nn.functional.pad(
            logits, [0, blocks * blockLength - Config.VocabularySize], value: double.NegativeInfinity);
        var maxima = whole.view(slotCount, blocks, blockLength).amax([2]);
        var bounds = maxima.topk(count).values.narrow(1, count - 1, 1);
        var reached = logits.ge(bounds);
        found.Assign(
            Read<float>(maxima.amax([1])), Read<long>(reached.nonzero()), Read<float>(logits.masked_select(reached)));
        return true;

        // Nothing reaches a bound that is no number.
        static T[] Read<T>(Tensor numbers) where T : unmanaged => numbers.numel() == 0 ? [] : numbers.cpu().data<T>().ToArray();
    }

    protected override void ReleaseCache() => _cached.Clear();

    protected override void Free()
    {
        foreach (var weights in _weights.Values.SelectMany(layers => layers))
            weights.Dispose();
        _widened?.Dispose();
        _epsilon?.Dispose();
        _cached?.Dispose();
        _turns?.Dispose();
        _buffers?.Dispose();
        _logits?.Dispose();
    }

    protected override void RunRows(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains, bool needsLogits)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var keepsLayers = chains.First > 0 || chains.End < Config.ChainCount || History is not null;
        var views = _buffers.Views(firstSlot, rows.Length, chains, keepsLayers);
        var span = CacheSpan.Of(rows, Cache);
        var cached = _cached.Of(span, chains);
        var places = RowPlaces.Of(rows, span, cached.KeyNumbers, _model.DataType);
        _turns.Write(rows, places.Positions, Lengths, views.AllTurns);
        views.AllResidual.copy_(_model.Embedding.forward(places.Ids, chains, _model.DataType));
        var weights = Weights(chains);
        for (var layer = 0; layer < weights.Length; layer++)
            LayerScript.Run(_epsilon, weights[layer], views, views.Layer(layer), cached.All[layer], places);
        if (History is not null)
            Keep(rows, firstSlot, chains);
        if (!needsLogits)
            return;

        var logits = _logits.narrow(0, firstSlot, rows.Length);
        LayerScript.Normalise(_epsilon, ScriptWeights.Vectors(_model.Norm, chains), views);
        logits.copy_(_model.Head.forward(views.AllResidual, chains, chains.First == 0 ? null : logits));
        Array.Clear(_isCopied, firstSlot, rows.Length);
    }

    protected override void RunChunk(int sequence, int start, ReadOnlySpan<int> tokens, ChainRange chains)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var row = History?.Row(sequence, start) ?? 0;
        using var earlier = chains.First == 0 ? null : Earlier(History!, row, tokens.Length, chains.First);
        using var kept = History is null ? null : new ChainFeatures(Config.LayerCount);
        _model.FillCache(Ids(tokens), chains, earlier, kept, new SequenceCache(
            Cache, sequence, start, tokens.Length, Lengths.Of(sequence, start, tokens.Length)));
        if (kept is not null)
            Keep(kept, History!, row, chains);
    }

    private ScriptWeights[] Weights(ChainRange chains)
    {
        if (!_weights.TryGetValue(chains, out var weights))
            _weights.Add(chains, weights = [.. _model.Layers.Select(layer => new ScriptWeights(layer, chains, _widened))]);
        return weights;
    }

    private Tensor Ids(ReadOnlySpan<int> tokens)
    {
        var ids = new long[tokens.Length];
        for (var i = 0; i < ids.Length; i++)
            ids[i] = tokens[i];
        return tensor(ids, [1, ids.Length], device: _model.Device);
    }

    /// <summary>Features of the chains before a range, read in place.</summary>
    private ChainFeatures Earlier(FeatureStore store, long row, int count, int chainCount)
    {
        var earlier = new ChainFeatures(Config.LayerCount);
        for (var layer = 0; layer < Config.LayerCount; layer++)
        {
            foreach (var site in FeatureStore.Sites)
            {
                earlier.Keep(layer, site, store[layer, site].narrow(0, row, count)
                    .narrow(1, 0, FeatureStore.OffsetsOf(Columns, site)[chainCount]));
            }
        }
        return earlier;
    }

    /// <summary>Keeps what was computed of a chunk, which is all but what the last layer does behind its keys and values.</summary>
    private void Keep(ChainFeatures kept, FeatureStore store, long row, ChainRange chains)
    {
        for (var layer = 0; layer < Config.LayerCount; layer++)
        {
            foreach (var site in layer == Config.LayerCount - 1 ? [FeatureSite.AttentionInput] : FeatureStore.Sites)
            {
                var (features, column) = (kept[layer, site], FeatureStore.OffsetsOf(Columns, site)[chains.First]);
                store[layer, site].narrow(0, row, features.size(0)).narrow(1, column, features.size(1)).copy_(features);
            }
        }
    }

    /// <summary>Keeps what slots hold of the chains that were computed in them.</summary>
    private void Keep(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains)
    {
        var places = new long[rows.Length];
        for (var i = 0; i < places.Length; i++)
            places[i] = History!.Row(rows[i].Sequence, rows[i].Position);
        var kept = tensor(places, device: _model.Device);
        for (var layer = 0; layer < Config.LayerCount; layer++)
        {
            foreach (var site in FeatureStore.Sites)
            {
                var offsets = FeatureStore.OffsetsOf(Columns, site);
                var (column, width) = (offsets[chains.First], offsets[chains.End] - offsets[chains.First]);
                History![layer, site].narrow(1, column, width).index_copy_(
                    0, kept, _buffers.Kept[layer, site].narrow(0, firstSlot, rows.Length).narrow(1, column, width));
            }
        }
    }
}
