using Microsoft.ML.CoLM;
using TorchSharp;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>
/// The matrix products of a dense model's forward pass and nothing else: what libtorch's products alone allow a prefill
/// to reach.
/// </summary>
internal sealed class BareGemm : IDisposable
{
    private readonly List<(Tensor Input, Tensor Weight, Tensor Result)> _products = [];

    /// <param name="config">A model of one chain.</param>
    /// <param name="rows">Tokens of the pass; the head computes the logits of one.</param>
    /// <param name="device">Where the products run.</param>
    /// <param name="dtype">Their type.</param>
    public BareGemm(CoLMConfig config, int rows, Device device, ScalarType dtype)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var (width, wide) = (config.Hidden(0), config.Intermediate(0));
        var (queries, keys) = (config.QueryWidth(0), config.KeyValueHeads(0) * config.HeadWidth);
        var inputs = new Dictionary<(int Rows, int Width), Tensor>();
        for (var layer = 0; layer < config.LayerCount; layer++)
        {
            foreach (var (from, to) in new[]
            {
                (width, queries), (width, keys), (width, keys), (queries, width),
                (width, wide), (width, wide), (wide, width),
            })
            {
                Add(rows, from, to);
            }
        }
        Add(1, width, config.VocabularySize);

        void Add(int height, int from, int to)
        {
            if (!inputs.TryGetValue((height, from), out var input))
                inputs.Add((height, from), input = Random(height, from));
            _products.Add((input.alias().DetachFromDisposeScope(), Random(to, from).t().DetachFromDisposeScope(),
                Random(height, to).DetachFromDisposeScope()));
        }

        Tensor Random(long height, long length) => randn([height, length], dtype: dtype, device: device);
    }

    /// <summary>Computes them all once, into results that are there already.</summary>
    public void Run()
    {
        using var noGradients = no_grad();
        foreach (var (input, weight, result) in _products)
            result.addmm_(input, weight, beta: 0);
    }

    public void Dispose()
    {
        foreach (var (input, weight, result) in _products)
        {
            input.Dispose();
            weight.Dispose();
            result.Dispose();
        }
    }
}
