using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>Generation on the CPU: prompts in chunks, then a few rows at a time.</summary>
/// <typeparam name="T">The type of the weights and of the cache.</typeparam>
internal sealed unsafe class CpuSession<T> : IDecodingSession
    where T : struct, IElement
{
    private readonly KvCache _cache;
    private readonly InferenceWeights _weights;
    private readonly WorkerTeam _team;
    private readonly SlotBuffers _slots;
    private readonly RowWalk<T> _rows;
    private readonly ChunkBuffers? _history;
    private readonly long[] _keyValuesComputed;
    private readonly long[] _featuresComputed;
    private ChunkWalk<T>? _chunks;

    /// <param name="model">The model, in type <typeparamref name="T"/>.</param>
    /// <param name="cache">Its cache, which stays the caller's.</param>
    /// <param name="mayGrow">Whether sequences may be run at more chains later than before.</param>
    public CpuSession(CoLMModel model, KvCache cache, bool mayGrow)
    {
        _cache = cache;
        _weights = new InferenceWeights(model);
        _team = new WorkerTeam(get_num_threads());
        _slots = new SlotBuffers(_weights, SlotCount);
        _rows = new RowWalk<T>(_weights, cache, _team, _slots);
        if (mayGrow && !model.Config.KvSharing)
            _history = new ChunkBuffers(_weights, cache.SequenceCount * cache.Capacity, keepsLayers: true, T.Type);
        _keyValuesComputed = new long[model.Config.ChainCount];
        _featuresComputed = new long[model.Config.ChainCount];
    }

    public int SlotCount => 16;

    public IReadOnlyList<long> KeyValuesComputed => _keyValuesComputed;

    public IReadOnlyList<long> FeaturesComputed => _featuresComputed;

    public int Length(int sequence) => _cache.Length(sequence);

    public void Prefill(int sequence, ReadOnlySpan<int> tokens, int chainCount, CancellationToken cancellation = default)
    {
        var chains = new ChainRange(0, _weights.Config.KvSharing ? 1 : chainCount);
        while (!tokens.IsEmpty)
        {
            cancellation.ThrowIfCancellationRequested();
            var chunk = tokens[..Math.Min(tokens.Length, ChunkWalk<T>.ChunkLength)];
            RunChunk(sequence, _cache.Length(sequence), chunk, chains);
            foreach (var token in chunk)
                _cache.Append(sequence, token);
            tokens = tokens[chunk.Length..];
        }
    }

    public void Run(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains)
    {
        _rows.Run(rows, firstSlot, chains);
        foreach (var row in rows)
        {
            if (chains.First == 0)
                _cache.Append(row.Sequence, row.Token);
            Count(row.Sequence, row.Position, 1, chains);
        }
        if (_history is not null)
            Keep(rows, firstSlot, chains);
    }

    public ReadOnlySpan<float> Logits(int slot) => _rows.Logits(slot);

    public void Trim(int sequence, int length) => _cache.Trim(length, sequence);

    public void Grow(int sequence, int chainCount)
    {
        if (_weights.Config.KvSharing)
            return;
        for (var chain = 1; chain < chainCount; chain++)
        {
            // Chains that were left out together are computed together.
            var start = _cache.CachedLength(sequence, chain);
            var end = chain + 1;
            while (end < chainCount && _cache.CachedLength(sequence, end) == start)
                end++;
            int[] tokens = [.. _cache.Tokens(sequence).Skip(start)];
            if (tokens.Length > 0 && _history is null)
                throw new InvalidOperationException("The session was not made to grow.");
            for (var done = 0; done < tokens.Length; done += ChunkWalk<T>.ChunkLength)
            {
                RunChunk(sequence, start + done,
                    tokens.AsSpan(done, Math.Min(ChunkWalk<T>.ChunkLength, tokens.Length - done)), new ChainRange(chain, end));
            }
            chain = end - 1;
        }
    }

    public void Dispose()
    {
        _chunks?.Dispose();
        _history?.Dispose();
        _rows.Dispose();
        _slots.Dispose();
        _team.Dispose();
        _weights.Dispose();
    }

    private void RunChunk(int sequence, int start, ReadOnlySpan<int> tokens, ChainRange chains)
    {
        _chunks ??= new ChunkWalk<T>(_weights, _cache, _team, _history);
        _chunks.Run(sequence, start, tokens, chains);
        Count(sequence, start, tokens.Length, chains);
    }

    private void Count(int sequence, int position, int tokens, ChainRange chains)
    {
        for (var chain = chains.First; chain < chains.End; chain++)
        {
            _featuresComputed[chain] += tokens;
            if (chain >= _weights.Config.KeyValueChains)
                continue;
            _keyValuesComputed[chain] += tokens;
            if (_cache.CachedLength(sequence, chain) == position)
                _cache.SetCachedLength(sequence, chain, position + tokens);
        }
    }

    /// <summary>Copies what chains computed for rows to where chains that are computed later look for it.</summary>
    private void Keep(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains)
    {
        for (var layer = 0; layer < _weights.Layers.Length; layer++)
        {
            Copy(_slots.AttentionInput[layer], _slots.Hidden, _weights.Hidden, _history!.AttentionInput(layer), rows);
            Copy(_slots.AttentionOutput[layer], _slots.Queries, _weights.Queries, _history.AttentionOutput(layer), rows);
            Copy(_slots.FeedForwardInput[layer], _slots.Hidden, _weights.Hidden, _history.FeedForwardInput(layer), rows);
            Copy(_slots.FeedForwardHidden[layer], _slots.Intermediate, _weights.Intermediate,
                _history.FeedForwardHidden(layer), rows);
        }

        void Copy(nint slots, int width, int[] offsets, Tensor history, ReadOnlySpan<DecodingRow> rows)
        {
            var (target, column) = (TensorMemory.Address(history), offsets[chains.First]);
            for (var i = 0; i < rows.Length; i++)
            {
                RowKernels.Narrow<T>((float*)slots + (long)(firstSlot + i) * width + column, (void*)target,
                    ((long)rows[i].Sequence * _cache.Capacity + rows[i].Position) * width + column,
                    offsets[chains.End] - column);
            }
        }
    }
}
