using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// Generation through the model's modules and libtorch: on CUDA, and for types that the CPU's kernels do not read.
/// </summary>
/// <remarks>Rows of different sequences are run one sequence after the other.</remarks>
internal sealed class ModuleSession : DecodingSession
{
    // On the CPU what a prompt's features take is bounded; a GPU wants as much work at once as its memory holds.
    private const int CpuChunkLength = 512;
    private const int GpuChunkLength = 1 << 16;

    private readonly CoLMModel _model;
    private readonly FeatureStore _slots;
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
            _slots = new FeatureStore(Config, Columns, SlotCount, keepsLayers: true, _model.DataType, _model.Device);
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

    protected override void Free()
    {
        _slots?.Dispose();
        _logits?.Dispose();
    }

    protected override void RunRows(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains, bool needsLogits)
    {
        using var noGradients = no_grad();
        for (var first = 0; first < rows.Length;)
        {
            var count = 1;
            while (first + count < rows.Length && rows[first + count].Sequence == rows[first].Sequence)
                count++;
            RunSequence(rows.Slice(first, count), firstSlot + first, chains);
            first += count;
        }
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
            Keep(kept, History!, row, chains, sitesOfLastLayer: [FeatureSite.AttentionInput]);
    }

    private void RunSequence(ReadOnlySpan<DecodingRow> rows, int slot, ChainRange chains)
    {
        using var scope = NewDisposeScope();
        var (sequence, start, count) = (rows[0].Sequence, rows[0].Position, rows.Length);
        var ids = new int[count];
        for (var i = 0; i < count; i++)
            ids[i] = rows[i].Token;
        using var earlier = chains.First == 0 ? null : Earlier(_slots, slot, count, chains.First);
        using var kept = new ChainFeatures(Config.LayerCount);
        earlier?.KeepLogits(_logits.narrow(0, slot, count));
        var features = _model.Features(Ids(ids), chains, earlier, kept, new SequenceCache(
            Cache, sequence, start, count, Lengths.Of(sequence, start, count)));
        _logits.narrow(0, slot, count).copy_(_model.Head.forward(features, chains, earlier?.Logits));
        Array.Clear(_isCopied, slot, count);

        if (chains.End < Config.ChainCount)
            Keep(kept, _slots, slot, chains, sitesOfLastLayer: FeatureStore.Sites);
        if (History is not null)
            Keep(kept, History, History.Row(sequence, start), chains, sitesOfLastLayer: FeatureStore.Sites);
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

    private void Keep(
        ChainFeatures kept, FeatureStore store, long row, ChainRange chains, FeatureSite[] sitesOfLastLayer)
    {
        for (var layer = 0; layer < Config.LayerCount; layer++)
        {
            foreach (var site in layer == Config.LayerCount - 1 ? sitesOfLastLayer : FeatureStore.Sites)
            {
                var (features, column) = (kept[layer, site], FeatureStore.OffsetsOf(Columns, site)[chains.First]);
                store[layer, site].narrow(0, row, features.size(0)).narrow(1, column, features.size(1)).copy_(features);
            }
        }
    }
}
