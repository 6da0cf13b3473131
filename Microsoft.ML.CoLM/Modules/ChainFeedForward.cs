using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>SwiGLU, down(silu(gate(x)) · up(x)), each a Chain-of-Linear.</summary>
internal sealed class ChainFeedForward : nn.Module
{
    private readonly CoLMConfig _config;
    private readonly int _layer;
    private readonly ChainLinear _gate;
    private readonly ChainLinear _up;
    private readonly ChainLinear _down;

    public ChainFeedForward(CoLMConfig config, int layer, Device device, ScalarType dtype)
        : base(nameof(ChainFeedForward))
    {
        (_config, _layer) = (config, layer);
        var chains = Enumerable.Range(0, config.ChainCount);
        var (hidden, intermediate) = (chains.Select(config.Hidden), chains.Select(config.Intermediate));
        register_module("gate_proj", _gate = new ChainLinear(hidden, intermediate, device, dtype, config.WeightFormats));
        register_module("up_proj", _up = new ChainLinear(hidden, intermediate, device, dtype, config.WeightFormats));
        register_module("down_proj", _down = new ChainLinear(intermediate, hidden, device, dtype, config.WeightFormats));
    }

    internal ChainLinear Gate => _gate;

    internal ChainLinear Up => _up;

    internal ChainLinear Down => _down;

    /// <param name="x">[rows, D], normalised.</param>
    /// <param name="pass">The walk this is a step of.</param>
    /// <returns>[rows, D].</returns>
    public Tensor forward(Tensor x, ForwardPass pass)
    {
        using var scope = NewDisposeScope();
        pass.Keep(_layer, FeatureSite.FeedForwardInput, x);
        var gate = pass.Apply(_gate, x, _layer, FeatureSite.FeedForwardInput, Projection.Gate);         // [rows, F]
        var up = pass.Apply(_up, x, _layer, FeatureSite.FeedForwardInput, Projection.Up);               // [rows, F]
        var hidden = SwiGluFunction.Apply(gate, up, Widths(pass.Chains));
        pass.Keep(_layer, FeatureSite.FeedForwardHidden, hidden);
        return pass.Apply(_down, hidden, _layer, FeatureSite.FeedForwardHidden, Projection.Down)
            .MoveToOuterDisposeScope();
    }

    private long[] Widths(ChainRange chains)
    {
        var widths = new long[chains.Count];
        for (var i = 0; i < widths.Length; i++)
            widths[i] = _config.Intermediate(chains.First + i);
        return widths;
    }
}
