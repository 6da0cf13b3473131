using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>Generation on the CPU: prompts in chunks, fewer tokens as rows, each with all weights read once.</summary>
/// <typeparam name="T">The type of the weights and of the cache.</typeparam>
internal sealed unsafe class CpuSession<T> : IDecodingSession
    where T : struct, IElement
{
    private readonly KvCache _cache;
    private readonly SessionUse _use;
    private readonly InferenceWeights _weights;
    private readonly WorkerTeam _team;
    private readonly SlotBuffers _slots;
    private readonly RowWalk<T> _rows;
    private readonly FeatureStore? _history;
    private readonly SessionLedger _ledger;
    private readonly RotaryLengths _lengths;
    private ChunkWalk<T>? _chunks;

    /// <param name="model">The model, in type <typeparamref name="T"/>.</param>
    /// <param name="cache">Its cache, of its architecture.</param>
    /// <param name="ownsCache">Whether the cache is disposed with the session.</param>
    /// <param name="mayGrow">Whether sequences may be run at more chains later than before.</param>
    public CpuSession(CoLMModel model, KvCache cache, bool ownsCache, bool mayGrow)
    {
        _cache = cache;
        _use = new SessionUse(model, cache, ownsCache);
        try
        {
            _weights = new InferenceWeights(_use.Model);
            _team = new WorkerTeam(get_num_threads());
            _slots = new SlotBuffers(_weights, SlotCount, _team.Count);
            _lengths = new RotaryLengths(model.Config, cache.SequenceCount);
            _rows = new RowWalk<T>(_weights, cache, _team, _slots, _lengths);
            if (mayGrow && !model.Config.KvSharing)
            {
                _history = new FeatureStore(model.Config, _weights.Columns, cache.Capacity, keepsLayers: true, T.Type,
                    sequences: cache.SequenceCount);
            }
            _ledger = new SessionLedger(cache, canGrow: _history is not null);
        }
        catch
        {
            Dispose();
            throw;
        }
    }

    public int SlotCount => 16;

    public IReadOnlyList<long> KeyValuesComputed => _ledger.KeyValuesComputed;

    public IReadOnlyList<long> FeaturesComputed => _ledger.FeaturesComputed;

    public int Length(int sequence) => _cache.Length(sequence);

    public void Prefill(
        int sequence, ReadOnlySpan<int> tokens, int chainCount, int? length = null, CancellationToken cancellation = default)
    {
        var begin = _cache.Length(sequence);
        _lengths.Set(sequence, begin, tokens.Length, length ?? begin + tokens.Length);
        var chains = new ChainRange(0, _weights.Config.KvSharing ? 1 : chainCount);
        Reserve(_cache.Length(sequence) + tokens.Length);
        while (!tokens.IsEmpty)
        {
            cancellation.ThrowIfCancellationRequested();
            _use.Check();
            var chunk = tokens[..Math.Min(tokens.Length, ChunkWalk<T>.ChunkLength)];
            tokens = tokens[chunk.Length..];
            var start = _cache.Length(sequence);
            // Of few tokens, reading the weights takes longer than multiplying them, which rows do at memory's speed.
            if (chunk.Length <= SlotCount)
            {
                RunRows([.. chunk.ToArray().Select((token, i) => new DecodingRow(sequence, start + i, token))],
                    firstSlot: 0, chains, needsLogits: false);
                continue;
            }
            RunChunk(sequence, start, chunk, chains);
            foreach (var token in chunk)
                _cache.Append(sequence, token);
        }
    }

    public void Run(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains)
    {
        _use.Check();
        foreach (var row in chains.First == 0 ? rows : [])
            _lengths.Set(row.Sequence, row.Position, 1, row.Position + 1);
        RunRows(rows, firstSlot, chains, needsLogits: true);
    }

    public ReadOnlySpan<float> Logits(int slot) => _rows.Logits(slot);

    public void Trim(int sequence, int length) => _cache.Forget(length, sequence);

    public void Grow(int sequence, int chainCount)
    {
        foreach (var (chains, start) in _ledger.Missing(sequence, chainCount))
        {
            int[] tokens = [.. _cache.Tokens(sequence).Skip(start)];
            for (var done = 0; done < tokens.Length; done += ChunkWalk<T>.ChunkLength)
            {
                RunChunk(sequence, start + done,
                    tokens.AsSpan(done, Math.Min(ChunkWalk<T>.ChunkLength, tokens.Length - done)), chains);
            }
        }
    }

    // Where the constructor failed, some of it is not there.
    public void Dispose()
    {
        _chunks?.Dispose();
        _history?.Dispose();
        _rows?.Dispose();
        _slots?.Dispose();
        _team?.Dispose();
        _weights?.Dispose();
        _use.Dispose();
    }

    private void Reserve(int length)
    {
        _cache.Reserve(length);
        _history?.Reserve(_cache.Capacity);
    }

    private void RunRows(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains, bool needsLogits)
    {
        foreach (var row in rows)
            Reserve(row.Position + 1);
        _rows.Run(rows, firstSlot, chains, needsLogits);
        foreach (var row in rows)
        {
            if (chains.First == 0)
                _cache.Append(row.Sequence, row.Token);
            _ledger.Count(row.Sequence, row.Position, 1, chains);
        }
        if (_history is not null)
            Keep(rows, firstSlot, chains);
    }

    private void RunChunk(int sequence, int start, ReadOnlySpan<int> tokens, ChainRange chains)
    {
        if (_chunks is null || _chunks.Rows < tokens.Length)
        {
            _chunks?.Dispose();
            _chunks = null;
            _chunks = new ChunkWalk<T>(_weights, _cache, _team, _lengths, _history, tokens.Length);
        }
        _chunks.Run(sequence, start, tokens, chains);
        _ledger.Count(sequence, start, tokens.Length, chains);
    }

    /// <summary>Copies what chains computed for rows to where chains that are computed later look for it.</summary>
    private void Keep(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains)
    {
        for (var layer = 0; layer < _weights.Layers.Length; layer++)
        {
            foreach (var site in FeatureStore.Sites)
            {
                var offsets = FeatureStore.OffsetsOf(_weights.Columns, site);
                var slots = (float*)_slots[layer, site];
                var (history, column) = (TensorMemory.Address(_history![layer, site]), offsets[chains.First]);
                for (var i = 0; i < rows.Length; i++)
                {
                    RowKernels.Narrow<T>(slots + (long)(firstSlot + i) * offsets[^1] + column, (void*)history,
                        _history.Row(rows[i].Sequence, rows[i].Position) * offsets[^1] + column,
                        offsets[chains.End] - column);
                }
            }
        }
    }
}
