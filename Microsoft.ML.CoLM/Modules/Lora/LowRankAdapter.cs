using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>
/// LoRA (Hu et al. 2021) on a Chain-of-Linear: y_i += alpha / rank · B_i · A_i · x_≤i for the chains from one on, so
/// that no chain reads a later one here either.
/// </summary>
/// <remarks>In float32, whatever the model's type: its updates are small.</remarks>
internal sealed class LowRankAdapter : nn.Module
{
    private readonly ChainWeights _down;
    private readonly ChainWeights _up;
    private readonly int _firstChain;
    private readonly double _scale;
    private readonly double _dropout;

    /// <param name="linear">What it is added to.</param>
    /// <param name="firstChain">The first chain with an adapter, which has a weight in the layer.</param>
    /// <param name="lora">Rank, alpha and dropout.</param>
    /// <param name="device">Where the weights live; their values are left unset.</param>
    public LowRankAdapter(ChainLinear linear, int firstChain, LoraOptions lora, Device device)
        : base(nameof(LowRankAdapter))
    {
        (_firstChain, _scale, _dropout) = (firstChain, lora.Alpha / lora.Rank, lora.Dropout);
        var weights = Enumerable.Range(0, linear.ChainCount)
            .Select(chain => chain < firstChain ? null : linear.Matrix(chain)).ToArray();
        register_module("lora_A", _down = new ChainWeights(
            weights.Select(weight => weight is null ? null : new long[] { lora.Rank, weight.Width }), device));
        register_module("lora_B", _up = new ChainWeights(
            weights.Select(weight => weight is null ? null : new long[] { weight.Outputs, lora.Rank }), device));
    }

    /// <summary>A's values as PyTorch gives them to a linear layer, and B's zero: so it adds nothing at first.</summary>
    public void Initialise(Generator generator)
    {
        using var scope = NewDisposeScope();
        for (var chain = _firstChain; chain < _down.ChainCount; chain++)
        {
            var down = _down.Weight(chain);
            var bound = 1 / Math.Sqrt(down.size(1));
            using Scalar width = (2 * bound).ToScalar(), start = (-bound).ToScalar();
            down.copy_(rand(down.shape, dtype: float32, generator: generator).mul_(width).add_(start, Scalars.One));
            _up.Weight(chain).zero_();
        }
    }

    /// <summary>Adds to a projection's outputs.</summary>
    /// <param name="y">[rows, Y], the outputs of the range's chains; disposed where another takes its place.</param>
    /// <param name="x">[rows, X], the inputs of the range's chains.</param>
    /// <param name="chains">The chains that were computed.</param>
    /// <param name="earlier">[rows, E], the inputs of the chains before them; null when the range is the first.</param>
    /// <returns>[rows, Y].</returns>
    public Tensor AddTo(Tensor y, Tensor x, ChainRange chains, Tensor? earlier)
    {
        var adapted = new ChainRange(Math.Max(chains.First, _firstChain), chains.End);
        if (adapted.Count <= 0)
            return y;
        using var scope = NewDisposeScope();
        var reduced = ChainLinearFunction.Apply(                                        // [rows, chains · rank]
            Dropped(x)!, Dropped(earlier), _down.Weights(adapted));
        var rank = reduced.size(1) / adapted.Count;
        List<Tensor> parts = [];
        for (var chain = adapted.First; chain < adapted.End; chain++)
            parts.Add(reduced.narrow(1, (chain - adapted.First) * rank, rank).mm(_up.Weight(chain).t()));
        using var scale = _scale.ToScalar();
        var added = (parts.Count == 1 ? parts[0] : cat(parts, dim: 1)).mul(scale).to(y.dtype);
        var start = y.size(1) - added.size(1);
        var sum = start == 0
            ? y.add(added, Scalars.One)
            : cat([y.narrow(1, 0, start), y.narrow(1, start, added.size(1)).add(added, Scalars.One)], dim: 1);
        y.Dispose();
        return sum.MoveToOuterDisposeScope();
    }

    /// <summary>Adds the adapter to the weights of a layer like the one it was made for.</summary>
    public void AddTo(ChainLinear linear)
    {
        using var scope = NewDisposeScope();
        using var scale = _scale.ToScalar();
        for (var chain = _firstChain; chain < _down.ChainCount; chain++)
        {
            var weight = linear.Weight(chain);
            weight.add_(_up.Weight(chain).mm(_down.Weight(chain)).mul_(scale).to(weight.dtype), Scalars.One);
        }
    }

    private Tensor? Dropped(Tensor? x)
    {
        var exact = x?.to(float32);
        return exact is null || !training || !is_grad_enabled() || _dropout == 0 ? exact : nn.functional.dropout(exact, _dropout, training: true);
    }
}
