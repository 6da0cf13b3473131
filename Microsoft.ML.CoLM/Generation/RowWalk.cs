using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>
/// The decoder for a few rows on the CPU: every weight is read once, in place, by threads that go through the layers in
/// lockstep, without a call into libtorch. Where they would wait for each other longer than they work, the caller does it
/// alone.
/// </summary>
/// <typeparam name="T">The type of the weights and of the cache; features are float32.</typeparam>
internal sealed unsafe class RowWalk<T> : IDisposable
    where T : struct, IElement
{
    private readonly InferenceWeights _weights;
    private readonly KvCache _cache;
    // Weights, keys and values that are read between two meetings of the threads: of fewer, meeting and fetching what the
    // others computed takes as long as reading all of them alone. With more rows both grow.
    private const int FewestNumbersPerMeeting = 1 << 15;

    private readonly WorkerTeam _all;
    private readonly WorkerTeam _alone = new(1);
    private readonly SlotBuffers _slots;
    private readonly Dictionary<(ChainRange Chains, int Threads), RangePlan> _plans = [];
    private readonly Action<int> _walk;
    private readonly nint[][] _keys;
    private readonly nint[][] _values;
    private readonly DecodingRow[] _rows;
    private readonly List<QueryTile> _tiles = [];
    private readonly float* _angles;
    private readonly nint[] _scratch;
    private readonly int _d;
    private readonly float _scale;
    private WorkerTeam _team;
    private RangePlan _plan = null!;
    private int _firstSlot;
    private int _count;
    private bool _needsLogits;

    public RowWalk(InferenceWeights weights, KvCache cache, WorkerTeam team, SlotBuffers slots)
    {
        (_weights, _cache, _all, _team, _slots) = (weights, cache, team, team, slots);
        var config = weights.Config;
        _d = config.HeadWidth;
        _scale = 1 / MathF.Sqrt(_d);
        _walk = Walk;
        _rows = new DecodingRow[slots.Slots];
        _keys = Addresses(cache.Keys);
        _values = Addresses(cache.Values);
        _angles = (float*)Allocate((long)slots.Slots * _d);
        const int Tile = CachedAttention.QueriesAtOnce;
        var scratch = Tile * ((long)_d + CachedAttention.Padded(_d) + CachedAttention.ScoreStride(cache.Capacity));
        _scratch = [.. Enumerable.Range(0, team.Count).Select(_ => Allocate(scratch))];

        nint[][] Addresses(Func<int, int, TorchSharp.torch.Tensor> tensors) =>
            [.. Enumerable.Range(0, config.LayerCount).Select(layer => Enumerable.Range(0, config.KeyValueChains)
                .Select(chain => TensorMemory.Address(tensors(layer, chain))).ToArray())];
    }

    /// <summary>Runs a range of chains for rows in neighbouring slots, and caches their keys and values.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="firstSlot">The first row's slot.</param>
    /// <param name="chains">The chains.</param>
    /// <param name="needsLogits">Whether more is wanted than keys and values.</param>
    public void Run(ReadOnlySpan<DecodingRow> rows, int firstSlot, ChainRange chains, bool needsLogits)
    {
        (_firstSlot, _count, _needsLogits) = (firstSlot, rows.Length, needsLogits);
        rows.CopyTo(_rows);
        _team = IsSmall(Plan(chains, _all)) ? _alone : _all;
        _plan = Plan(chains, _team);
        Tile();
        _plan.Reset();
        _team.Run(_walk);
    }

    public ReadOnlySpan<float> Logits(int slot) => new(Slot(_slots.Logits, slot, _slots.Vocabulary), _slots.Vocabulary);

    public void Dispose()
    {
        NativeMemory.AlignedFree(_angles);
        Array.ForEach(_scratch, memory => NativeMemory.AlignedFree((void*)memory));
    }

    private RangePlan Plan(ChainRange chains, WorkerTeam team)
    {
        if (!_plans.TryGetValue((chains, team.Count), out var plan))
            _plans.Add((chains, team.Count), plan = new RangePlan(_weights, _slots, chains, team.Count));
        return plan;
    }

    private bool IsSmall(RangePlan plan)
    {
        var numbers = plan.Weights;
        for (var row = 0; row < _count; row++)
        {
            // A sequence's rows are neighbours, and read its keys and values together.
            if (row + 1 == _count || _rows[row + 1].Sequence != _rows[row].Sequence)
                numbers += plan.NumbersPerPosition * (_rows[row].Position + 1);
        }
        return numbers < plan.Meetings * FewestNumbersPerMeeting;
    }

    private void Walk(int thread)
    {
        Embed(thread);
        _team.Synchronise();
        for (var layer = 0; layer < _plan.Layers.Length; layer++)
        {
            var (plan, weights) = (_plan.Layers[layer], _weights.Layers[layer]);
            Normalise(thread, weights.AttentionNorm, _slots.AttentionInput[layer]);
            Multiply(thread, plan.QueryKeyValue, _slots.Normed[thread]);
            _team.Synchronise();
            Attend(thread, layer);
            // The last keys and values are cached; nobody reads what comes after them.
            if (!_needsLogits && layer == _plan.Layers.Length - 1)
                return;
            _team.Synchronise();
            Multiply(thread, plan.Output, _slots.AttentionOutput[layer]);
            _team.Synchronise();
            Normalise(thread, weights.FeedForwardNorm, _slots.FeedForwardInput[layer]);
            Activate(thread, plan.GateUp, _slots.FeedForwardHidden[layer]);
            _team.Synchronise();
            Multiply(thread, plan.Down, _slots.FeedForwardHidden[layer]);
            _team.Synchronise();
        }
        Normalise(thread, _weights.Norm, kept: null);
        Multiply(thread, _plan.Head, _slots.Normed[thread]);
    }

    private void Multiply(int thread, ProductTasks tasks, nint input)
    {
        while (tasks.TryTake(thread, out var task))
        {
            foreach (var piece in task)
                piece.Compute<T>(input, _firstSlot, _count);
        }
    }

    private void Embed(int thread)
    {
        var (first, end) = _team.Share(thread, _count);
        for (var row = first; row < end; row++)
        {
            var residual = Slot(_slots.Residual, _firstSlot + row, _slots.Hidden);
            for (var chain = _plan.Chains.First; chain < _plan.Chains.End; chain++)
            {
                var table = _weights.Embedding[chain];
                RowKernels.Widen<T>((void*)table.Address, (long)_rows[row].Token * table.Width,
                    residual + _weights.Columns.Hidden[chain], table.Width);
            }
            var half = _d / 2;
            _weights.Rotary.Angles(_rows[row].Position, new Span<float>(Cosine(row), half), new Span<float>(Sine(row), half));
        }
    }

    /// <summary>Normalises the residual for the products of this thread: sooner done by each than waited for.</summary>
    /// <param name="thread">The thread.</param>
    /// <param name="norms">Weights of each chain.</param>
    /// <param name="kept">Where chains that are run later find it, and what earlier ones left; null if they need none.</param>
    private void Normalise(int thread, WeightMatrix[] norms, nint? kept)
    {
        var (chains, columns) = (_plan.Chains, _weights.Columns.Hidden);
        var (before, width) = (columns[chains.First], columns[chains.End] - columns[chains.First]);
        for (var slot = _firstSlot; slot < _firstSlot + _count; slot++)
        {
            var residual = Slot(_slots.Residual, slot, _slots.Hidden);
            var normed = Slot(_slots.Normed[thread], slot, _slots.Hidden);
            for (var chain = chains.First; chain < chains.End; chain++)
            {
                RowKernels.Normalise<T, Float32Element>(residual + columns[chain], (void*)norms[chain].Address,
                    normed + columns[chain], norms[chain].Width, (float)_weights.Config.RmsNormEpsilon);
            }
            if (kept is not { } features)
                continue;
            var row = Slot(features, slot, _slots.Hidden);
            new ReadOnlySpan<float>(row, before).CopyTo(new Span<float>(normed, before));
            if (thread == 0)
                new ReadOnlySpan<float>(normed + before, width).CopyTo(new Span<float>(row + before, width));
        }
    }

    /// <summary>Caches a tile's head's keys and values of all rows that the tile may read.</summary>
    private void Store(QueryTile tile, int layer, float* rotated)
    {
        var (group, column) = (tile.Group, tile.Group.Column);
        for (var row = tile.FirstRow; row < tile.EndRow; row++)
        {
            RowKernels.Rotate<Float32Element>(Slot(_slots.Key, _firstSlot + row, _slots.KeyValues) + column, rotated, _d,
                Cosine(row), Sine(row), scale: 1);
            CachedAttention.Store<T>(rotated, Slot(_slots.Value, _firstSlot + row, _slots.KeyValues) + column, _d,
                _rows[row].Position, Head(_keys, layer, group, _rows[row].Sequence, _d),
                Head(_values, layer, group, _rows[row].Sequence, CachedAttention.Padded(_d)));
        }
    }

    private void Attend(int thread, int layer)
    {
        const int Most = CachedAttention.QueriesAtOnce;
        var queries = (float*)_scratch[thread];
        var output = queries + Most * _d;
        var scores = output + Most * CachedAttention.Padded(_d);
        var lengths = stackalloc int[Most];
        var (first, end) = _team.Share(thread, _tiles.Count);
        for (var i = first; i < end; i++)
        {
            var tile = _tiles[i];
            // Where threads share a head, each stores the same: sooner done than waited for.
            if (tile.Group.Chain >= _plan.Chains.First && (i == first || !tile.ReadsAs(_tiles[i - 1])))
                Store(tile, layer, queries);
            new Span<float>(queries + tile.Count * _d, (Most - tile.Count) * _d).Clear();
            for (var q = 0; q < tile.Count; q++)
            {
                var row = tile.Row(q);
                RowKernels.Rotate<Float32Element>(
                    Slot(_slots.Query, _firstSlot + row, _slots.Queries) + tile.Column(q), queries + q * _d, _d, Cosine(row),
                    Sine(row), _scale);
                lengths[q] = _rows[row].Position + 1;
            }
            var sequence = _rows[tile.FirstRow].Sequence;
            CachedAttention.Attend<T>(queries, new ReadOnlySpan<int>(lengths, tile.Count), _d,
                Head(_keys, layer, tile.Group, sequence, _d),
                Head(_values, layer, tile.Group, sequence, CachedAttention.Padded(_d)), scores, output);
            for (var q = 0; q < tile.Count; q++)
            {
                new ReadOnlySpan<float>(output + q * CachedAttention.Padded(_d), _d).CopyTo(new Span<float>(
                    Slot(_slots.AttentionOutput[layer], _firstSlot + tile.Row(q), _slots.Queries) + tile.Column(q), _d));
            }
        }
    }

    /// <summary>Puts queries that read the same keys together, those of a sequence's neighbouring rows, too.</summary>
    private void Tile()
    {
        _tiles.Clear();
        for (int first = 0, end; first < _count; first = end)
        {
            for (end = first + 1; end < _count && _rows[end].Sequence == _rows[first].Sequence;)
                end++;
            foreach (var heads in _plan.Heads)
            {
                var queries = (end - first) * heads.Columns.Length;
                for (var query = 0; query < queries; query += CachedAttention.QueriesAtOnce)
                    _tiles.Add(new(heads, first, end, query, Math.Min(CachedAttention.QueriesAtOnce, queries - query)));
            }
        }
    }

    // The same outputs of gate and up by one thread, so that none waits for another between them.
    private void Activate(int thread, ProductTasks tasks, nint hidden)
    {
        while (tasks.TryTake(thread, out var task))
        {
            foreach (var piece in task)
                piece.Compute<T>(_slots.Normed[thread], _firstSlot, _count);
            for (var i = 0; i < task.Length; i += 2)
            {
                var offset = (task[i].Y - _slots.Gate) / sizeof(float) + task[i].First;
                for (var slot = _firstSlot; slot < _firstSlot + _count; slot++)
                {
                    RowKernels.SwiGlu<Float32Element, Float32Element>(
                        Slot(_slots.Gate, slot, _slots.Intermediate) + offset,
                        Slot(_slots.Up, slot, _slots.Intermediate) + offset,
                        Slot(hidden, slot, _slots.Intermediate) + offset, task[i].End - task[i].First);
                }
            }
        }
    }

    /// <summary>Where a key-value head's memory begins, whose positions are that wide.</summary>
    private void* Head(nint[][] tensors, int layer, HeadGroup group, int sequence, int width) =>
        (void*)(tensors[layer][group.Chain] + ((nint)sequence * group.HeadCount + group.Head) *
            CachedAttention.Padded(_cache.Capacity) * width * T.Size);

    private float* Cosine(int row) => _angles + (long)row * _d;

    private float* Sine(int row) => Cosine(row) + _d / 2;

    private static float* Slot(nint buffer, int slot, int width) => (float*)buffer + (long)slot * width;

    private static nint Allocate(long floats)
    {
        var size = (nuint)floats * sizeof(float);
        var memory = NativeMemory.AlignedAlloc(size, 64);
        NativeMemory.Clear(memory, size);
        return (nint)memory;
    }
}
