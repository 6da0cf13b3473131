using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>The attention of a few rows, which may be of several sequences.</summary>
/// <typeparam name="T">The type of the cache; features are float32.</typeparam>
internal sealed unsafe class RowAttention<T> : IDisposable
    where T : struct, IElement
{
    private readonly InferenceWeights _weights;
    private readonly KvCache _cache;
    private readonly SlotBuffers _slots;
    private readonly RotaryLengths _lengths;
    private readonly DecodingRow[] _rows;
    private readonly List<QueryTile> _tiles = [];
    private readonly float* _angles;
    private readonly nint[] _scratch;
    private readonly int _d;
    private readonly float _scale;
    private nint[][] _keys = [];
    private nint[][] _values = [];
    private int _capacity;
    private ChainRange _chains;
    private int _firstSlot;
    private int _count;

    /// <param name="weights">The model.</param>
    /// <param name="cache">Its keys and values.</param>
    /// <param name="slots">Where rows' features are.</param>
    /// <param name="lengths">The sequences that tokens' angles are those of.</param>
    /// <param name="threads">Threads that may take part.</param>
    public RowAttention(InferenceWeights weights, KvCache cache, SlotBuffers slots, RotaryLengths lengths, int threads)
    {
        (_weights, _cache, _slots, _lengths) = (weights, cache, slots, lengths);
        _d = weights.Config.HeadWidth;
        _scale = 1 / MathF.Sqrt(_d);
        _rows = new DecodingRow[slots.Slots];
        _angles = (float*)AlignedMemory.Allocate((long)slots.Slots * _d);
        _scratch = new nint[threads];
    }

    /// <summary>Takes rows, in neighbouring slots, of which a plan's chains are computed next.</summary>
    public void Begin(RangePlan plan, ReadOnlySpan<DecodingRow> rows, int firstSlot)
    {
        (_chains, _firstSlot, _count) = (plan.Chains, firstSlot, rows.Length);
        rows.CopyTo(_rows);
        Tile(plan.Heads);
        if (_capacity != _cache.Capacity)
            FindCache();
    }

    /// <summary>Computes the angles of a row's position.</summary>
    public void Place(int row) => _weights.Rotary.Angles(
        _rows[row].Position, _lengths.Of(_rows[row].Sequence, _rows[row].Position), new Span<float>(Cosine(row), _d / 2), new Span<float>(Sine(row), _d / 2));

    /// <summary>A thread's part: its heads' keys and values into the cache, and what their queries read from it.</summary>
    /// <param name="team">The threads.</param>
    /// <param name="thread">The thread.</param>
    /// <param name="layer">The layer, whose queries, keys and values are in the slots.</param>
    public void Attend(WorkerTeam team, int thread, int layer)
    {
        const int Most = CachedAttention.QueriesAtOnce;
        var queries = (float*)_scratch[thread];
        var output = queries + Most * _d;
        var scores = output + Most * CachedAttention.Padded(_d);
        var lengths = stackalloc int[Most];
        var (first, end) = team.Share(thread, _tiles.Count);
        for (var i = first; i < end; i++)
        {
            var tile = _tiles[i];
            // Where threads share a head, each stores the same: sooner done than waited for.
            if (tile.Group.Chain >= _chains.First && (i == first || !tile.ReadsAs(_tiles[i - 1])))
                Store(tile, layer, queries);
            new Span<float>(queries + tile.Count * _d, (Most - tile.Count) * _d).Clear();
            for (var q = 0; q < tile.Count; q++)
            {
                var row = tile.Row(q);
                RowKernels.Rotate<Float32Element>(
                    SlotBuffers.Slot(_slots.Query, _firstSlot + row, _slots.Queries) + tile.Column(q), queries + q * _d, _d, Cosine(row),
                    Sine(row), _scale);
                lengths[q] = _rows[row].Position + 1;
            }
            var sequence = _rows[tile.FirstRow].Sequence;
            CachedAttention.Attend<T>(queries, new ReadOnlySpan<int>(lengths, tile.Count), _d,
                Keys(layer, tile.Group, sequence), Values(layer, tile.Group, sequence), scores, output);
            for (var q = 0; q < tile.Count; q++)
            {
                new ReadOnlySpan<float>(output + q * CachedAttention.Padded(_d), _d).CopyTo(new Span<float>(
                    SlotBuffers.Slot(_slots.AttentionOutput[layer], _firstSlot + tile.Row(q), _slots.Queries) + tile.Column(q), _d));
            }
        }
    }

    public void Dispose()
    {
        AlignedMemory.Free((nint)_angles);
        Array.ForEach(_scratch, AlignedMemory.Free);
    }

    /// <summary>Notes where the cache is, and takes memory for the scores of as many positions as it has room for.</summary>
    private void FindCache()
    {
        var config = _weights.Config;
        _keys = Addresses(_cache.Keys);
        _values = Addresses(_cache.Values);
        const int Tile = CachedAttention.QueriesAtOnce;
        var floats = Tile * ((long)_d + CachedAttention.Padded(_d) + CachedAttention.ScoreStride(_cache.Capacity));
        for (var thread = 0; thread < _scratch.Length; thread++)
        {
            AlignedMemory.Free(_scratch[thread]);
            _scratch[thread] = 0;
            _scratch[thread] = AlignedMemory.Allocate(floats);
        }
        _capacity = _cache.Capacity;

        nint[][] Addresses(Func<int, int, TorchSharp.torch.Tensor> tensors) =>
            [.. Enumerable.Range(0, config.LayerCount).Select(layer => Enumerable.Range(0, config.KeyValueChains)
                .Select(chain => TensorMemory.Address(tensors(layer, chain))).ToArray())];
    }

    /// <summary>Caches a tile's head's keys and values of all rows that the tile may read.</summary>
    private void Store(QueryTile tile, int layer, float* rotated)
    {
        var (group, column) = (tile.Group, tile.Group.Column);
        for (var row = tile.FirstRow; row < tile.EndRow; row++)
        {
            RowKernels.Rotate<Float32Element>(SlotBuffers.Slot(_slots.Key, _firstSlot + row, _slots.KeyValues) + column, rotated, _d,
                Cosine(row), Sine(row), scale: 1);
            CachedAttention.Store<T>(rotated, SlotBuffers.Slot(_slots.Value, _firstSlot + row, _slots.KeyValues) + column, _d,
                _rows[row].Position, Keys(layer, group, _rows[row].Sequence), Values(layer, group, _rows[row].Sequence));
        }
    }

    /// <summary>Puts queries that read the same keys together, those of a sequence's neighbouring rows, too.</summary>
    private void Tile(HeadGroup[] groups)
    {
        _tiles.Clear();
        for (int first = 0, end; first < _count; first = end)
        {
            for (end = first + 1; end < _count && _rows[end].Sequence == _rows[first].Sequence;)
                end++;
            foreach (var group in groups)
            {
                var queries = (end - first) * group.Columns.Length;
                for (var query = 0; query < queries; query += CachedAttention.QueriesAtOnce)
                    _tiles.Add(new(group, first, end, query, Math.Min(CachedAttention.QueriesAtOnce, queries - query)));
            }
        }
    }

    private void* Keys(int layer, HeadGroup group, int sequence) => CachedAttention.Head<T>(
        _keys[layer][group.Chain], _cache.Capacity, _d, group.HeadCount, sequence, group.Head);

    private void* Values(int layer, HeadGroup group, int sequence) => CachedAttention.Head<T>(
        _values[layer][group.Chain], _cache.Capacity, CachedAttention.Padded(_d), group.HeadCount, sequence, group.Head);

    private float* Cosine(int row) => _angles + (long)row * _d;

    private float* Sine(int row) => Cosine(row) + _d / 2;
}
