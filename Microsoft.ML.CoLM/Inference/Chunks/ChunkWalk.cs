using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>
/// The decoder for a chunk of a sequence's tokens on the CPU, to cache their keys and values: products and kernels
/// by turns. No logits are computed, and of the last layer only keys and values.
/// </summary>
/// <typeparam name="T">The type of norms, features and cache; the residual and all sums are float32.</typeparam>
internal sealed unsafe class ChunkWalk<T> : IDisposable
    where T : struct, IElement
{
    private readonly InferenceEngine _engine;
    private readonly InferenceWeights _weights;
    private readonly RotaryLengths _lengths;
    private readonly FeatureStore _features;
    private readonly Tensor _residual;
    private readonly Tensor _queries;
    private readonly Tensor _keys;
    private readonly Tensor _values;
    private readonly Tensor _gates;
    private readonly Tensor _ups;
    private readonly ChunkGemm _products;
    private readonly Tensor _angles;
    private readonly ChunkAttention<T> _attention;
    private readonly int _d;

    /// <param name="engine">The model.</param>
    /// <param name="cache">Where keys and values go.</param>
    /// <param name="lengths">The sequences that tokens' angles are those of.</param>
    /// <param name="history">Features of all positions, kept for later chains; null keeps none.</param>
    /// <param name="rows">Tokens of the longest chunk.</param>
    public ChunkWalk(InferenceEngine engine, KvCache cache, RotaryLengths lengths, FeatureStore? history, int rows)
    {
        var weights = engine.Weights;
        (_engine, _weights, _lengths, Rows) = (engine, weights, lengths, rows);
        _d = weights.Config.HeadWidth;
        _features = history ?? new FeatureStore(weights.Config, weights.Columns, rows, keepsLayers: false, T.Type);
        _residual = New(weights.Columns.Hidden[^1], ScalarType.Float32);
        _queries = New(weights.Columns.Queries[^1], T.Type);
        _keys = New(weights.Columns.KeyValues[^1], T.Type);
        _values = New(weights.Columns.KeyValues[^1], T.Type);
        _gates = New(weights.Columns.Intermediate[^1], T.Type);
        _ups = New(weights.Columns.Intermediate[^1], T.Type);
        _products = new ChunkGemm(
            engine, sums: T.Type == ScalarType.Float32 ? null : New(weights.Columns.Hidden[^1], T.Type));
        _angles = New(_d, ScalarType.Float32);
        _attention = new ChunkAttention<T>(engine, cache, _angles);

        Tensor New(int width, ScalarType dtype) => zeros([rows, width], dtype: dtype).DetachFromDisposeScope();
    }

    /// <summary>Tokens of the longest chunk that there is room for.</summary>
    public int Rows { get; }

    /// <summary>Caches the keys and values of a range of chains for neighbouring tokens of a sequence.</summary>
    /// <param name="sequence">The sequence.</param>
    /// <param name="start">Position of the first token.</param>
    /// <param name="tokens">At most <see cref="Rows"/> ids; the cache has room for them.</param>
    /// <param name="chains">The chains; those before them must be in the history.</param>
    public void Run(int sequence, int start, ReadOnlySpan<int> tokens, ChainRange chains)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var chunk = new Chunk(sequence, start, tokens.Length, chains,
            FirstRow: _features.KeepsLayers ? _features.Row(sequence, start) : 0);
        _attention.Begin();
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
        foreach (var tensor in new[] { _residual, _queries, _keys, _values, _gates, _ups, _angles })
            tensor.Dispose();
        _attention.Dispose();
        _products.Dispose();
    }

    private void Embed(ReadOnlySpan<int> tokens, Chunk chunk)
    {
        var (residual, angles, width) = (TensorMemory.Address(_residual), TensorMemory.Address(_angles), _weights.Columns.Hidden[^1]);
        for (var row = 0; row < chunk.Length; row++)
        {
            for (var chain = chunk.Chains.First; chain < chunk.Chains.End; chain++)
            {
                _weights.Embedding[chain].Widen(
                    tokens[row], (float*)residual + (long)row * width + _weights.Columns.Hidden[chain]);
            }
            var cosine = (float*)angles + (long)row * _d;
            var position = chunk.Start + row;
            _weights.Rotary.Angles(position, _lengths.Of(chunk.Sequence, position), new Span<float>(cosine, _d / 2), new Span<float>(cosine + _d / 2, _d / 2));
        }
    }

    private void Attend(int layer, Chunk chunk, bool isLast)
    {
        var weights = _weights.Layers[layer];
        var input = Normalise(weights.AttentionNorm, _features[layer, FeatureSite.AttentionInput], chunk);
        for (var chain = chunk.Chains.First; chain < Math.Min(chunk.Chains.End, _weights.Config.KeyValueChains); chain++)
        {
            _products.Add(input, weights.Key[chain], _keys, _weights.Columns.KeyValues[chain]);
            _products.Add(input, weights.Value[chain], _values, _weights.Columns.KeyValues[chain]);
        }
        for (var chain = chunk.Chains.First; chain < chunk.Chains.End && !isLast; chain++)
            _products.Add(input, weights.Query[chain], _queries, _weights.Columns.Queries[chain]);
        _products.Run();
        _attention.Store(layer, chunk, _keys, _values);
        if (isLast)
            return;
        var output = _features[layer, FeatureSite.AttentionOutput];
        _attention.Attend(layer, chunk, _queries, output);
        AddToResidual(output.narrow(0, chunk.FirstRow, chunk.Length), weights.Output, chunk);
    }

    private void FeedForward(int layer, Chunk chunk)
    {
        var weights = _weights.Layers[layer];
        var input = Normalise(weights.FeedForwardNorm, _features[layer, FeatureSite.FeedForwardInput], chunk);
        for (var chain = chunk.Chains.First; chain < chunk.Chains.End; chain++)
        {
            _products.Add(input, weights.Gate[chain], _gates, _weights.Columns.Intermediate[chain]);
            _products.Add(input, weights.Up[chain], _ups, _weights.Columns.Intermediate[chain]);
        }
        _products.Run();
        var hidden = _features[layer, FeatureSite.FeedForwardHidden];
        Activate(chunk, hidden);
        AddToResidual(hidden.narrow(0, chunk.FirstRow, chunk.Length), weights.Down, chunk);
    }

    /// <summary>Normalises the chains' residual into their columns of the features, and gives the chunk's rows.</summary>
    private Tensor Normalise(NormWeight[] norms, Tensor features, Chunk chunk)
    {
        var (residual, target, width) = (TensorMemory.Address(_residual), TensorMemory.Address(features), _weights.Columns.Hidden[^1]);
        _engine.RunShares(thread =>
        {
            var (first, end) = _engine.Team.Share(thread, chunk.Length);
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

    private void AddToResidual(Tensor input, WeightMatrix[] matrices, Chunk chunk)
    {
        for (var chain = chunk.Chains.First; chain < chunk.Chains.End; chain++)
            _products.Add(input, matrices[chain], _residual, _weights.Columns.Hidden[chain], adds: true);
        _products.Run();
    }

    private void Activate(Chunk chunk, Tensor hidden)
    {
        var (gates, ups, results) = (TensorMemory.Address(_gates), TensorMemory.Address(_ups), TensorMemory.Address(hidden));
        var width = _weights.Columns.Intermediate[^1];
        var (column, end) = (_weights.Columns.Intermediate[chunk.Chains.First], _weights.Columns.Intermediate[chunk.Chains.End]);
        _engine.RunShares(thread =>
        {
            var (first, last) = _engine.Team.Share(thread, chunk.Length);
            for (var row = first; row < last; row++)
            {
                var at = ((nint)row * width + column) * T.Size;
                RowKernels.SwiGlu<T, T>((void*)(gates + at), (void*)(ups + at),
                    (void*)(results + at + (nint)chunk.FirstRow * width * T.Size), end - column);
            }
        });
    }
}
