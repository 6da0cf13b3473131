using Microsoft.ML.CoLM.Kernels;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>The attention of a chunk's tokens, to each other and to those before them.</summary>
/// <typeparam name="T">The type of features and cache.</typeparam>
internal sealed unsafe class ChunkAttention<T> : IDisposable
    where T : struct, IElement
{
    // Queries that read a head's keys and values together, so that memory gives them once: as many as leave their scores
    // in the second-level cache.
    private const int MostQueriesAtOnce = 32;
    private const int ScoresAtOnce = 1 << 17;
    private const int Fours = CachedAttention.QueriesAtOnce;

    private readonly InferenceWeights _weights;
    private readonly KvCache _cache;
    private readonly InferenceEngine _engine;
    private readonly float* _angles;
    private readonly nint[] _scratch;
    private readonly int _d;
    private int _queriesAtOnce;
    private int _capacity;
    private int _next;

    /// <param name="engine">The model.</param>
    /// <param name="cache">Where keys and values go.</param>
    /// <param name="angles">[rows of a chunk, d], the cosines and the sines of their positions.</param>
    public ChunkAttention(InferenceEngine engine, KvCache cache, Tensor angles)
    {
        (_engine, _weights, _cache) = (engine, engine.Weights, cache);
        _angles = (float*)TensorMemory.Address(angles);
        _d = _weights.Config.HeadWidth;
        _scratch = new nint[engine.Team.Count];
    }

    /// <summary>Takes memory for the scores of as many positions as the cache has room for; before each chunk.</summary>
    public void Begin()
    {
        if (_capacity == _cache.Capacity)
            return;
        var stride = CachedAttention.ScoreStride(_cache.Capacity);
        _queriesAtOnce = Math.Clamp(ScoresAtOnce / stride / Fours * Fours, Fours, MostQueriesAtOnce);
        var floats = (long)_queriesAtOnce * (2 * CachedAttention.Padded(_d) + stride);
        for (var thread = 0; thread < _scratch.Length; thread++)
        {
            AlignedMemory.Free(_scratch[thread]);
            _scratch[thread] = 0;
            _scratch[thread] = AlignedMemory.Allocate(floats);
        }
        _capacity = _cache.Capacity;
    }

    /// <summary>Rotates and caches the keys of a chunk's tokens, and caches their values.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="chunk">The tokens.</param>
    /// <param name="keys">[rows, width of all chains' keys].</param>
    /// <param name="values">As the keys.</param>
    public void Store(int layer, Chunk chunk, Tensor keys, Tensor values)
    {
        var (config, width) = (_weights.Config, _weights.Columns.KeyValues[^1]);
        var (from, of) = (TensorMemory.Address(keys), TensorMemory.Address(values));
        for (var chain = chunk.Chains.First; chain < Math.Min(chunk.Chains.End, config.KeyValueChains); chain++)
        {
            var (column, heads) = (_weights.Columns.KeyValues[chain], config.KeyValueHeads(chain));
            var cachedKeys = TensorMemory.Address(_cache.Keys(layer, chain));
            var cachedValues = TensorMemory.Address(_cache.Values(layer, chain));
            _engine.RunShares(thread =>
            {
                var (first, end) = _engine.Team.Share(thread, chunk.Length);
                var rotated = stackalloc float[2 * _d];
                for (var row = first; row < end; row++)
                {
                    for (var head = 0; head < heads; head++)
                    {
                        var at = (long)row * width + column + head * _d;
                        RowKernels.Rotate<T>((void*)(from + (nint)at * T.Size), rotated, _d, Cosine(row), Sine(row), scale: 1);
                        RowKernels.Widen<T>((void*)of, at, rotated + _d, _d);
                        CachedAttention.Store<T>(rotated, rotated + _d, _d, chunk.Start + row,
                            Keys(cachedKeys, heads, chunk.Sequence, head), Values(cachedValues, heads, chunk.Sequence, head));
                    }
                }
            });
        }
    }

    /// <summary>Rotates a chunk's queries and mixes the values that they attend to.</summary>
    /// <param name="layer">The layer.</param>
    /// <param name="chunk">The tokens, whose keys and values are cached.</param>
    /// <param name="queries">[rows, width of all chains' queries].</param>
    /// <param name="output">As the queries, from the chunk's first row in the features on; written.</param>
    public void Attend(int layer, Chunk chunk, Tensor queries, Tensor output)
    {
        var (from, to) = (TensorMemory.Address(queries), TensorMemory.Address(output));
        var groups = (chunk.Length + _queriesAtOnce - 1) / _queriesAtOnce;
        for (var chain = chunk.Chains.First; chain < chunk.Chains.End; chain++)
        {
            var (source, column, heads) = (
                _weights.Config.KeyValueChain(chain), _weights.Columns.Queries[chain], _weights.Config.Heads(chain));
            var sourceHeads = _weights.Config.KeyValueHeads(source);
            var (keys, values) = (TensorMemory.Address(_cache.Keys(layer, source)), TensorMemory.Address(_cache.Values(layer, source)));
            _next = 0;
            _engine.RunShares(thread =>
            {
                // Head by head, so that its keys and values stay in the caches; the last positions, which cost most, come
                // first, so that threads end at about the same time.
                while (Interlocked.Increment(ref _next) is var unit && unit <= heads * groups)
                {
                    var (head, group) = ((unit - 1) / groups, groups - 1 - (unit - 1) % groups);
                    var sourceHead = head / (heads / sourceHeads);
                    Attend(thread, chunk, group * _queriesAtOnce, column + head * _d, from, to,
                        Keys(keys, sourceHeads, chunk.Sequence, sourceHead),
                        Values(values, sourceHeads, chunk.Sequence, sourceHead));
                }
            });
        }
    }

    public void Dispose() => Array.ForEach(_scratch, AlignedMemory.Free);

    // Queries of neighbouring positions and one head.
    private void Attend(int thread, Chunk chunk, int first, int column, nint from, nint to, void* keys, void* values)
    {
        var (width, padded) = (_weights.Columns.Queries[^1], CachedAttention.Padded(_d));
        var query = (float*)_scratch[thread];
        var mixed = query + _queriesAtOnce * padded;
        var scores = mixed + _queriesAtOnce * padded;
        var count = Math.Min(_queriesAtOnce, chunk.Length - first);
        var lengths = stackalloc int[count];
        for (var q = 0; q < count; q++)
        {
            var at = (long)(first + q) * width + column;
            RowKernels.Rotate<T>((void*)(from + (nint)at * T.Size), query + q * _d, _d, Cosine(first + q), Sine(first + q),
                1 / MathF.Sqrt(_d));
            lengths[q] = chunk.Start + first + q + 1;
        }
        new Span<float>(query + count * _d, (_queriesAtOnce - count) * _d).Clear();
        CachedAttention.Attend<T>(query, new ReadOnlySpan<int>(lengths, count), _d, keys, values, scores, mixed);
        for (var q = 0; q < count; q++)
            RowKernels.Narrow<T>(mixed + q * padded, (void*)to, (chunk.FirstRow + first + q) * width + column, _d);
    }

    private float* Cosine(int row) => _angles + (long)row * _d;

    private float* Sine(int row) => Cosine(row) + _d / 2;

    private void* Keys(nint memory, int heads, int sequence, int head) =>
        CachedAttention.Head<T>(memory, _cache.Capacity, _d, heads, sequence, head);

    private void* Values(nint memory, int heads, int sequence, int head) =>
        CachedAttention.Head<T>(memory, _cache.Capacity, CachedAttention.Padded(_d), heads, sequence, head);
}
