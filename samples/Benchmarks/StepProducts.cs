using System.Diagnostics;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>
/// The matrix products of a training step and nothing else, each by the faster of libtorch and <see cref="BatchedGemm"/>, with
/// operands that are there already: what they alone allow a step to reach.
/// </summary>
/// <remarks>
/// A step's layers are alike, so each product of one layer is computed once and counts as often as there are layers.
/// </remarks>
internal sealed class StepProducts : IDisposable
{
    private readonly List<Product> _products = [];
    private readonly ScalarType _dtype;
    private readonly Device _device;

    /// <param name="config">The model, whose chains from one on are trained.</param>
    /// <param name="frozenChains">How many first chains are not.</param>
    /// <param name="frozenRows">Tokens that go through these; 0 where what they compute is there already.</param>
    /// <param name="rows">Tokens that go through the trained chains.</param>
    /// <param name="headRows">Tokens whose logits are computed together; 0 for a head that is next to nothing.</param>
    /// <param name="dtype">The operands' type.</param>
    /// <param name="device">Where they are.</param>
    public StepProducts(
        CoLMConfig config, int frozenChains, int frozenRows, int rows, int headRows, ScalarType dtype, Device device)
    {
        (_dtype, _device) = (dtype, device);
        var chains = Enumerable.Range(0, config.ChainCount).ToArray();
        var (hidden, wide) = (Array.ConvertAll(chains, config.Hidden), Array.ConvertAll(chains, config.Intermediate));
        var queries = Array.ConvertAll(chains, config.QueryWidth);
        int[] keys = [.. chains.Take(config.KeyValueChains).Select(chain => config.KeyValueHeads(chain) * config.HeadWidth)];
        foreach (var (from, to) in new[]
        {
            (hidden, queries), (hidden, keys), (hidden, keys), (queries, hidden), (hidden, wide), (hidden, wide), (wide, hidden),
        })
        {
            var trained = (frozenChains, to.Length);
            if (frozenChains > 0 && frozenRows > 0)
                AddForward(from, to, (0, Math.Min(frozenChains, to.Length)), frozenRows, config.LayerCount);
            if (frozenChains >= to.Length)
                continue;
            AddForward(from, to, trained, rows, config.LayerCount);
            AddGradients(from, to, trained, rows, config.LayerCount);
        }
        for (var chain = 0; chain < chains.Length && headRows > 0; chain++)
        {
            int[] vocabulary = [config.VocabularySize];
            // More logits than fit memory are computed a block at a time.
            var block = Math.Min(headRows, Math.Max(1, ScaleCrossEntropyFunction.LogitsAtOnce / config.VocabularySize));
            AddForward([hidden[chain]], vocabulary, (0, 1), block, headRows / (double)block);
            if (chain >= frozenChains)
                AddGradients([hidden[chain]], vocabulary, (0, 1), block, headRows / (double)block);
        }
    }

    /// <summary>Computes every product once by each library.</summary>
    public void Run()
    {
        using var noGradients = no_grad();
        foreach (var product in _products)
        {
            product.ByTorch.Add(Time(product, areOurs: false));
            product.Ours.Add(Time(product, areOurs: true));
        }
    }

    /// <summary>Milliseconds of a step's products in each run after the first, all by the faster library in the median.</summary>
    public Samples Times()
    {
        var best = _products.ConvertAll(product => (product.Count, Times: Faster(product)));
        return new(Enumerable.Range(1, best[0].Times.Count - 1).Select(run => best.Sum(product => product.Count * product.Times[run])));
    }

    public void Dispose()
    {
        foreach (var operand in _products.SelectMany(product => product.Operands))
            operand.Dispose();
    }

    private static List<double> Faster(Product product) =>
        new Samples(product.ByTorch.Skip(1)).Median < new Samples(product.Ours.Skip(1)).Median ? product.ByTorch : product.Ours;

    private double Time(Product product, bool areOurs)
    {
        using var use = MatrixProducts.Use(areOurs ? ChosenProducts.Own : ChosenProducts.ByLibtorch);
        using var scope = NewDisposeScope();
        var start = Stopwatch.GetTimestamp();
        product.Compute();
        if (_device.type == DeviceType.CUDA)
            cuda.synchronize(_device);
        return Stopwatch.GetElapsedTime(start).TotalMilliseconds;
    }

    private void AddForward(int[] from, int[] to, (int First, int End) chains, int rows, double count)
    {
        var (x, earlier, weights) = Operands(from, to, chains, rows);
        var matrices = Array.ConvertAll(weights, weight => new LinearWeight(weight));
        Add(() => ChainLinearKernel.Forward(x, earlier, matrices), count, [x, .. weights], earlier);
    }

    private void AddGradients(int[] from, int[] to, (int First, int End) chains, int rows, double count)
    {
        var (x, earlier, weights) = Operands(from, to, chains, rows);
        var matrices = Array.ConvertAll(weights, weight => new LinearWeight(weight));
        var gradient = Random(rows, to[chains.First..chains.End].Sum());
        var needed = Array.ConvertAll(weights, _ => true);
        Add(() => ChainLinearKernel.InputGradient(gradient, x.size(1), earlier?.size(1) ?? 0, matrices), count, [gradient]);
        Add(() => ChainLinearKernel.WeightGradients(gradient, x, earlier, matrices, needed), count, [x, .. weights], earlier);
    }

    private (Tensor X, Tensor? Earlier, Tensor[] Weights) Operands(int[] from, int[] to, (int First, int End) chains, int rows)
    {
        var (before, own) = (from[..chains.First].Sum(), from[chains.First..chains.End].Sum());
        Tensor[] weights = [.. Enumerable.Range(chains.First, chains.End - chains.First)
            .Select(chain => Random(to[chain], from[..(chain + 1)].Sum()))];
        return (Random(rows, own), before == 0 ? null : Random(rows, before), weights);
    }

    private void Add(Action compute, double count, Tensor[] operands, Tensor? further = null) =>
        _products.Add(new(compute, count, further is null ? operands : [.. operands, further], [], []));

    private Tensor Random(int rows, int columns) => randn([rows, columns], dtype: _dtype, device: _device).DetachFromDisposeScope();

    private sealed record Product(
        Action Compute, double Count, Tensor[] Operands, List<double> ByTorch, List<double> Ours);
}
