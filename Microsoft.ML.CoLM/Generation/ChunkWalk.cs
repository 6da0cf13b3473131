using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>
/// The decoder for a chunk of a sequence's tokens on the CPU, to cache their keys and values: libtorch multiplies, kernels
/// do the rest. No logits are computed, and of the last layer only keys and values.
/// </summary>
/// <typeparam name="T">The type of weights, features and cache; the residual and all sums are float32.</typeparam>
internal sealed unsafe class ChunkWalk<T> : IDisposable
    where T : struct, IElement
{
    /// <summary>Tokens that are worked on at once; what a prompt's features take does not grow beyond it.</summary>
    public const int ChunkLength = 512;

    private readonly InferenceWeights _weights;
    private readonly KvCache _cache;
    private readonly WorkerTeam _team;
    private readonly FeatureStore _features;
    private readonly Tensor _residual;
    private readonly Tensor _queries;
    private readonly Tensor _keys;
    private readonly Tensor _values;
    private readonly Tensor _gates;
    private readonly Tensor _ups;
    private readonly Tensor _sums;
    private readonly Tensor _angles;
    private readonly float[][] _scratch;
    private readonly int _d;

    /// <param name="weights">The model.</param>
    /// <param name="cache">Where keys and values go.</param>
    /// <param name="team">Runs the kernels.</param>
    /// <param name="history">Features of all positions, kept for later chains; null keeps none.</param>
    public ChunkWalk(InferenceWeights weights, KvCache cache, WorkerTeam team, FeatureStore? history)
    {
        (_weights, _cache, _team) = (weights, cache, team);
        _d = weights.Config.HeadWidth;
        var rows = Math.Min(ChunkLength, cache.Capacity);
        _features = history ?? new FeatureStore(weights.Config, weights.Columns, rows, keepsLayers: false, T.Type);
        _residual = New(weights.Columns.Hidden[^1], ScalarType.Float32);
        _queries = New(weights.Columns.Queries[^1], T.Type);
        _keys = New(weights.Columns.KeyValues[^1], T.Type);
        _values = New(weights.Columns.KeyValues[^1], T.Type);
        _gates = New(weights.Columns.Intermediate[^1], T.Type);
        _ups = New(weights.Columns.Intermediate[^1], T.Type);
        _sums = New(weights.Columns.Hidden[^1], T.Type);
        _angles = New(_d, ScalarType.Float32);
        const int Tile = CachedAttention.QueriesAtOnce;
        var scratch = Tile * (_d + CachedAttention.Padded(_d) + CachedAttention.Padded(cache.Capacity));
        _scratch = [.. Enumerable.Range(0, team.Count).Select(_ => GC.AllocateUninitializedArray<float>(scratch, pinned: true))];

        Tensor New(int width, ScalarType dtype) => zeros([rows, width], dtype: dtype).DetachFromDisposeScope();
    }

    /// <summary>Caches the keys and values of a range of chains for neighbouring tokens of a sequence.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="start">Position of the first token.</param>
    /// <param name="tokens">At most <see cref="ChunkLength"/> ids.</param>
    /// <param name="chains">The chains; those before them must be in the history.</param>
    public void Run(int sequence, int start, ReadOnlySpan<int> tokens, ChainRange chains)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var chunk = new Chunk(sequence, start, tokens.Length, chains,
            FirstRow: _features.KeepsLayers ? sequence * _cache.Capacity + start : 0);
        Embed(tokens, chunk);
        for (var layer = 0; layer < _weights.Layers.Length; layer++)
        {
            using var layerScope = NewDisposeScope();
            var isLast = layer == _weights.Layers.Length - 1;
            Attend(layer, chunk, isLast);
            if (!isLast)
                FeedForward(layer, chunk);
        }
    }

    public void Dispose()
    {
        if (!_features.KeepsLayers)
            _features.Dispose();
        foreach (var tensor in new[] { _residual, _queries, _keys, _values, _gates, _ups, _sums, _angles })
            tensor.Dispose();
    }

    private void Embed(ReadOnlySpan<int> tokens, Chunk chunk)
    {
        var (residual, angles, width) = (TensorMemory.Address(_residual), TensorMemory.Address(_angles), _weights.Columns.Hidden[^1]);
        for (var row = 0; row < chunk.Length; row++)
        {
            for (var chain = chunk.Chains.First; chain < chunk.Chains.End; chain++)
            {
                var table = _weights.Embedding[chain];
                RowKernels.Widen<T>((void*)table.Address, (long)tokens[row] * table.Width,
                    (float*)residual + (long)row * width + _weights.Columns.Hidden[chain], table.Width);
            }
            var cosine = (float*)angles + (long)row * _d;
            _weights.Rotary.Angles(
                chunk.Start + row, new Span<float>(cosine, _d / 2), new Span<float>(cosine + _d / 2, _d / 2));
        }
    }

    private void Attend(int layer, Chunk chunk, bool isLast)
    {
        var weights = _weights.Layers[layer];
        var input = Normalise(weights.AttentionNorm, _features[layer, FeatureSite.AttentionInput], chunk);
        for (var chain = chunk.Chains.First; chain < Math.Min(chunk.Chains.End, _weights.Config.KeyValueChains); chain++)
        {
            Multiply(input, weights.Key[chain], _keys, _weights.Columns.KeyValues[chain], chunk);
            Multiply(input, weights.Value[chain], _values, _weights.Columns.KeyValues[chain], chunk);
        }
        Store(layer, chunk);
        if (isLast)
            return;
        for (var chain = chunk.Chains.First; chain < chunk.Chains.End; chain++)
            Multiply(input, weights.Query[chain], _queries, _weights.Columns.Queries[chain], chunk);
        var output = _features[layer, FeatureSite.AttentionOutput];
        Mix(layer, chunk, output);
        AddProducts(output.narrow(0, chunk.FirstRow, chunk.Length), weights.Output, chunk);
    }

    private void FeedForward(int layer, Chunk chunk)
    {
        var weights = _weights.Layers[layer];
        var input = Normalise(weights.FeedForwardNorm, _features[layer, FeatureSite.FeedForwardInput], chunk);
        for (var chain = chunk.Chains.First; chain < chunk.Chains.End; chain++)
        {
            Multiply(input, weights.Gate[chain], _gates, _weights.Columns.Intermediate[chain], chunk);
            Multiply(input, weights.Up[chain], _ups, _weights.Columns.Intermediate[chain], chunk);
        }
        var hidden = _features[layer, FeatureSite.FeedForwardHidden];
        Activate(chunk, hidden);
        AddProducts(hidden.narrow(0, chunk.FirstRow, chunk.Length), weights.Down, chunk);
    }

    /// <summary>Normalises the chains' residual into their columns of the features, and gives the chunk's rows.</summary>
    private Tensor Normalise(WeightMatrix[] norms, Tensor features, Chunk chunk)
    {
        var (residual, target, width) = (TensorMemory.Address(_residual), TensorMemory.Address(features), _weights.Columns.Hidden[^1]);
        _team.Run(thread =>
        {
            var (first, end) = _team.Share(thread, chunk.Length);
            for (var row = first; row < end; row++)
            {
                for (var chain = chunk.Chains.First; chain < chunk.Chains.End; chain++)
                {
                    RowKernels.Normalise<T, T>((float*)residual + (long)row * width + _weights.Columns.Hidden[chain],
                        (void*)norms[chain].Address,
                        (void*)(target + ((nint)(chunk.FirstRow + row) * width + _weights.Columns.Hidden[chain]) * T.Size),
                        norms[chain].Width, (float)_weights.Config.RmsNormEpsilon);
                }
            }
        });
        return features.narrow(0, chunk.FirstRow, chunk.Length);
    }

    private static void Multiply(Tensor input, WeightMatrix weight, Tensor output, int column, Chunk chunk) =>
        output.narrow(0, 0, chunk.Length).narrow(1, column, weight.Outputs)
            .addmm_(input.narrow(1, 0, weight.Width), weight.Transposed, beta: 0);

    /// <summary>Adds each chain's product to its residual.</summary>
    private void AddProducts(Tensor input, WeightMatrix[] matrices, Chunk chunk)
    {
        for (var chain = chunk.Chains.First; chain < chunk.Chains.End; chain++)
        {
            var weight = matrices[chain];
            var residual = _residual.narrow(0, 0, chunk.Length).narrow(1, _weights.Columns.Hidden[chain], weight.Outputs);
            var read = input.narrow(1, 0, weight.Width);
            if (T.Type == ScalarType.Float32)
            {
                residual.addmm_(read, weight.Transposed);
                continue;
            }
            var sums = _sums.narrow(0, 0, chunk.Length).narrow(1, _weights.Columns.Hidden[chain], weight.Outputs);
            residual.add_(sums.addmm_(read, weight.Transposed, beta: 0), Scalars.One);
        }
    }

    private void Store(int layer, Chunk chunk)
    {
        var config = _weights.Config;
        var (from, of, angles) = (TensorMemory.Address(_keys), TensorMemory.Address(_values), TensorMemory.Address(_angles));
        var width = _weights.Columns.KeyValues[^1];
        for (var chain = chunk.Chains.First; chain < Math.Min(chunk.Chains.End, config.KeyValueChains); chain++)
        {
            var (column, heads) = (_weights.Columns.KeyValues[chain], config.KeyValueHeads(chain));
            var keys = TensorMemory.Address(_cache.Keys(layer, chain));
            var values = TensorMemory.Address(_cache.Values(layer, chain));
            _team.Run(thread =>
            {
                var (first, end) = _team.Share(thread, chunk.Length);
                var rotated = stackalloc float[2 * _d];
                for (var row = first; row < end; row++)
                {
                    var cosine = (float*)angles + (long)row * _d;
                    for (var head = 0; head < heads; head++)
                    {
                        var at = (long)row * width + column + head * _d;
                        RowKernels.Rotate<T>((void*)(from + (nint)at * T.Size), rotated, _d, cosine, cosine + _d / 2, scale: 1);
                        RowKernels.Widen<T>((void*)of, at, rotated + _d, _d);
                        CachedAttention.Store<T>(rotated, rotated + _d, _d, chunk.Start + row,
                            Head(keys, chunk.Sequence, head, heads, _d),
                            Head(values, chunk.Sequence, head, heads, CachedAttention.Padded(_d)));
                    }
                }
            });
        }
    }

    // Queries of neighbouring positions and one head share the reading of keys and values.
    private void Mix(int layer, Chunk chunk, Tensor output)
    {
        const int Most = CachedAttention.QueriesAtOnce;
        var config = _weights.Config;
        var (queries, results, angles) = (TensorMemory.Address(_queries), TensorMemory.Address(output), TensorMemory.Address(_angles));
        var width = _weights.Columns.Queries[^1];
        var scale = 1 / MathF.Sqrt(_d);
        var groups = (chunk.Length + Most - 1) / Most;
        for (var chain = chunk.Chains.First; chain < chunk.Chains.End; chain++)
        {
            var source = config.KeyValueChain(chain);
            var (column, heads, sourceHeads) = (_weights.Columns.Queries[chain], config.Heads(chain), config.KeyValueHeads(source));
            var keys = TensorMemory.Address(_cache.Keys(layer, source));
            var values = TensorMemory.Address(_cache.Values(layer, source));
            _team.Run(thread =>
            {
                var lengths = stackalloc int[Most];
                fixed (float* query = _scratch[thread])
                {
                    var mixed = query + Most * _d;
                    var scores = mixed + Most * CachedAttention.Padded(_d);
                    // Later positions cost more: threads take turns.
                    for (var unit = thread; unit < heads * groups; unit += _team.Count)
                    {
                        var (head, first) = (unit / groups, unit % groups * Most);
                        var count = Math.Min(Most, chunk.Length - first);
                        new Span<float>(query + count * _d, (Most - count) * _d).Clear();
                        var at = (long)first * width + column + head * _d;
                        for (var q = 0; q < count; q++)
                        {
                            var cosine = (float*)angles + (long)(first + q) * _d;
                            RowKernels.Rotate<T>((void*)(queries + (nint)(at + (long)q * width) * T.Size),
                                query + q * _d, _d, cosine, cosine + _d / 2, scale);
                            lengths[q] = chunk.Start + first + q + 1;
                        }
                        var sourceHead = head / (heads / sourceHeads);
                        CachedAttention.Attend<T>(query, count, new ReadOnlySpan<int>(lengths, count), _d,
                            Head(keys, chunk.Sequence, sourceHead, sourceHeads, _d),
                            Head(values, chunk.Sequence, sourceHead, sourceHeads, CachedAttention.Padded(_d)),
                            scores, mixed);
                        for (var q = 0; q < count; q++)
                        {
                            RowKernels.Narrow<T>(mixed + q * CachedAttention.Padded(_d), (void*)results,
                                at + (long)(chunk.FirstRow + q) * width, _d);
                        }
                    }
                }
            });
        }
    }

    private void Activate(Chunk chunk, Tensor hidden)
    {
        var (gates, ups, results) = (TensorMemory.Address(_gates), TensorMemory.Address(_ups), TensorMemory.Address(hidden));
        var width = _weights.Columns.Intermediate[^1];
        var (column, end) = (_weights.Columns.Intermediate[chunk.Chains.First], _weights.Columns.Intermediate[chunk.Chains.End]);
        _team.Run(thread =>
        {
            var (first, last) = _team.Share(thread, chunk.Length);
            for (var row = first; row < last; row++)
            {
                var at = ((nint)row * width + column) * T.Size;
                RowKernels.SwiGlu<T, T>((void*)(gates + at), (void*)(ups + at),
                    (void*)(results + at + (nint)chunk.FirstRow * width * T.Size), end - column);
            }
        });
    }

    private void* Head(nint tensor, int sequence, int head, int heads, int width) =>
        (void*)(tensor + ((nint)sequence * heads + head) * CachedAttention.Padded(_cache.Capacity) * width * T.Size);

    /// <param name="Sequence">The sequence.</param>
    /// <param name="Start">Position of the first token.</param>
    /// <param name="Length">Tokens.</param>
    /// <param name="Chains">The chains that are computed.</param>
    /// <param name="FirstRow">The first token's row in the features.</param>
    private readonly record struct Chunk(int Sequence, int Start, int Length, ChainRange Chains, int FirstRow);
}
