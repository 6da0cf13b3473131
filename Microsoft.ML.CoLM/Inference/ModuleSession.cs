using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// Generation through the model's modules and libtorch: on CUDA, and for types that the CPU's kernels do not read.
/// </summary>
/// <remarks>Rows of different sequences are run one sequence after the other.</remarks>
internal sealed class ModuleSession : IDecodingSession
{
    // On the CPU what a prompt's features take is bounded; a GPU wants as much work at once as its memory holds.
    private const int CpuChunkLength = 512;
    private const int GpuChunkLength = 1 << 16;

    private readonly CoLMModel _model;
    private readonly KvCache _cache;
    private readonly SessionUse _use;
    private readonly FeatureLayout _columns;
    private readonly FeatureStore _slots;
    private readonly FeatureStore? _history;
    private readonly SessionLedger _ledger;
    private readonly RotaryLengths _lengths;
    private readonly Tensor _logits;
    private readonly float[][] _copies;
    private readonly bool[] _isCopied;

    /// <param name="model">The model.</param>
    /// <param name="cache">Its cache, not blocked, of its architecture.</param>
    /// <param name="ownsCache">Whether the cache is disposed with the session.</param>
    /// <param name="mayGrow">Whether sequences may be run at more chains later than before.</param>
    public ModuleSession(CoLMModel model, KvCache cache, bool ownsCache, bool mayGrow)
    {
        _cache = cache;
        _use = new SessionUse(model, cache, ownsCache);
        _model = _use.Model;
        try
        {
            _columns = new FeatureLayout(model.Config);
            _lengths = new RotaryLengths(model.Config, cache.SequenceCount);
            _slots = Store(SlotCount, sequences: 1);
            if (mayGrow && !model.Config.KvSharing)
                _history = Store(cache.Capacity, cache.SequenceCount);
            _ledger = new SessionLedger(cache, canGrow: _history is not null);
            _logits = zeros([SlotCount, model.Config.VocabularySize], dtype: model.DataType, device: model.Device)
                .DetachFromDisposeScope();
            _copies = new float[SlotCount][];
            _isCopied = new bool[SlotCount];
        }
        catch
        {
            Dispose();
            throw;
        }

        FeatureStore Store(int rows, int sequences) =>
            new(model.Config, _columns, rows, keepsLayers: true, model.DataType, model.Device, sequences);
    }

    public int SlotCount => 16;

    public IReadOnlyList<long> KeyValuesComputed => _ledger.KeyValuesComputed;

    public IReadOnlyList<long> FeaturesComputed => _ledger.FeaturesComputed;

    private int ChunkLength => _model.Device.type == DeviceType.CPU ? CpuChunkLength : GpuChunkLength;

    public int Length(int sequence) => _cache.Length(sequence);

    public void Prefill(
        int sequence, ReadOnlySpan<int> tokens, int chainCount, int? length = null, CancellationToken cancellation = default)
    {
        var begin = _cache.Length(sequence);
        _lengths.Set(sequence, begin, tokens.Length, length ?? begin + tokens.Length);
        var chains = new ChainRange(0, _model.Config.KvSharing ? 1 : chainCount);
        Reserve(_cache.Length(sequence) + tokens.Length);
        while (!tokens.IsEmpty)
        {
            cancellation.ThrowIfCancellationRequested();
            _use.Check();
            var chunk = tokens[..Math.Min(tokens.Length, ChunkLength)];
            FillCache(sequence, _cache.Length(sequence), chunk, chains);
            foreach (var token in chunk)
                _cache.Append(sequence, token);
            tokens = tokens[chunk.Length..];
        }
    }

    public void Run(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains)
    {
        _use.Check();
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

    public ReadOnlySpan<float> Logits(int slot)
    {
        if (!_isCopied[slot])
        {
            using var scope = NewDisposeScope();
            _copies[slot] ??= new float[_model.Config.VocabularySize];
            _logits[slot].to(float32).cpu().data<float>().CopyTo(_copies[slot]);
            _isCopied[slot] = true;
        }
        return _copies[slot];
    }

    public void Trim(int sequence, int length) => _cache.Forget(length, sequence);

    public void Grow(int sequence, int chainCount)
    {
        foreach (var (chains, start) in _ledger.Missing(sequence, chainCount))
        {
            int[] tokens = [.. _cache.Tokens(sequence).Skip(start)];
            for (var done = 0; done < tokens.Length; done += ChunkLength)
                FillCache(sequence, start + done, tokens.AsSpan(done, Math.Min(ChunkLength, tokens.Length - done)), chains);
        }
    }

    // Where the constructor failed, some of it is not there.
    public void Dispose()
    {
        _slots?.Dispose();
        _history?.Dispose();
        _logits?.Dispose();
        _use.Dispose();
    }

    private void Reserve(int length)
    {
        _cache.Reserve(length);
        _history?.Reserve(_cache.Capacity);
    }

    private void RunSequence(ReadOnlySpan<DecodingRow> rows, int slot, ChainRange chains)
    {
        Reserve(rows[^1].Position + 1);
        foreach (var row in chains.First == 0 ? rows : [])
            _lengths.Set(row.Sequence, row.Position, 1, row.Position + 1);
        using var scope = NewDisposeScope();
        var (sequence, start, count) = (rows[0].Sequence, rows[0].Position, rows.Length);
        var ids = new int[count];
        for (var i = 0; i < count; i++)
            ids[i] = rows[i].Token;
        using var earlier = chains.First == 0 ? null : Earlier(_slots, slot, count, chains.First);
        using var kept = new ChainFeatures(_model.Config.LayerCount);
        earlier?.KeepLogits(_logits.narrow(0, slot, count));
        var features = _model.Features(Ids(ids), chains, earlier, kept, new SequenceCache(
            _cache, sequence, start, count, _lengths.Of(sequence, start, count)));
        _logits.narrow(0, slot, count).copy_(_model.Head.forward(features, chains, earlier?.Logits));
        Array.Clear(_isCopied, slot, count);

        if (chains.End < _model.Config.ChainCount)
            Keep(kept, _slots, slot, chains, sitesOfLastLayer: FeatureStore.Sites);
        if (_history is not null)
            Keep(kept, _history, _history.Row(sequence, start), chains, sitesOfLastLayer: FeatureStore.Sites);
        foreach (var id in chains.First == 0 ? ids : [])
            _cache.Append(sequence, id);
        _ledger.Count(sequence, start, count, chains);
    }

    private void FillCache(int sequence, int start, ReadOnlySpan<int> tokens, ChainRange chains)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var row = _history?.Row(sequence, start) ?? 0;
        using var earlier = chains.First == 0 ? null : Earlier(_history!, row, tokens.Length, chains.First);
        using var kept = _history is null ? null : new ChainFeatures(_model.Config.LayerCount);
        _model.FillCache(Ids(tokens), chains, earlier, kept, new SequenceCache(
            _cache, sequence, start, tokens.Length, _lengths.Of(sequence, start, tokens.Length)));
        if (kept is not null)
            Keep(kept, _history!, row, chains, sitesOfLastLayer: [FeatureSite.AttentionInput]);
        _ledger.Count(sequence, start, tokens.Length, chains);
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
        var earlier = new ChainFeatures(_model.Config.LayerCount);
        for (var layer = 0; layer < _model.Config.LayerCount; layer++)
        {
            foreach (var site in FeatureStore.Sites)
            {
                earlier.Keep(layer, site, store[layer, site].narrow(0, row, count)
                    .narrow(1, 0, FeatureStore.OffsetsOf(_columns, site)[chainCount]));
            }
        }
        return earlier;
    }

    private void Keep(
        ChainFeatures kept, FeatureStore store, long row, ChainRange chains, FeatureSite[] sitesOfLastLayer)
    {
        for (var layer = 0; layer < _model.Config.LayerCount; layer++)
        {
            foreach (var site in layer == _model.Config.LayerCount - 1 ? sitesOfLastLayer : FeatureStore.Sites)
            {
                var (features, column) = (kept[layer, site], FeatureStore.OffsetsOf(_columns, site)[chains.First]);
                store[layer, site].narrow(0, row, features.size(0)).narrow(1, column, features.size(1)).copy_(features);
            }
        }
    }
}
