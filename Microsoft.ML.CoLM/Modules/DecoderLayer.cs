using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>One layer of the decoder: attention, then feed-forward, each on normalised features and added back.</summary>
internal sealed class DecoderLayer : nn.Module
{
    private readonly ChainRmsNorm _attentionNorm;
    private readonly ChainAttention _attention;
    private readonly ChainRmsNorm _feedForwardNorm;
    private readonly ChainFeedForward _feedForward;

    public DecoderLayer(CoLMConfig config, int layer, Device device, ScalarType dtype) : base(nameof(DecoderLayer))
    {
        register_module("input_layernorm", _attentionNorm = new ChainRmsNorm(config, device, dtype));
        register_module("self_attn", _attention = new ChainAttention(config, layer, device, dtype));
        register_module("post_attention_layernorm", _feedForwardNorm = new ChainRmsNorm(config, device, dtype));
        register_module("mlp", _feedForward = new ChainFeedForward(config, layer, device, dtype));
    }

    internal ChainRmsNorm AttentionNorm => _attentionNorm;

    internal ChainAttention Attention => _attention;

    internal ChainRmsNorm FeedForwardNorm => _feedForwardNorm;

    internal ChainFeedForward FeedForward => _feedForward;

    /// <summary>The layers below this one that have weights, with their names.</summary>
    internal IEnumerable<(string Name, ChainModule Module)> ChainModules() =>
    [
        ("input_layernorm", _attentionNorm),
        ("self_attn.q_proj", _attention.Query), ("self_attn.k_proj", _attention.Key), ("self_attn.v_proj", _attention.Value),
        ("self_attn.o_proj", _attention.Output),
        ("post_attention_layernorm", _feedForwardNorm),
        ("mlp.gate_proj", _feedForward.Gate), ("mlp.up_proj", _feedForward.Up), ("mlp.down_proj", _feedForward.Down),
    ];

    internal ChainLinear Linear(Projection projection) => projection switch
    {
        Projection.Query => _attention.Query,
        Projection.Key => _attention.Key,
        Projection.Value => _attention.Value,
        Projection.Output => _attention.Output,
        Projection.Gate => _feedForward.Gate,
        Projection.Up => _feedForward.Up,
        _ => _feedForward.Down,
    };

    /// <param name="x">[rows, D], the features of the pass's chains.</param>
    /// <param name="pass">The walk this is a step of.</param>
    /// <returns>[rows, D].</returns>
    public Tensor forward(Tensor x, ForwardPass pass)
    {
        using var scope = NewDisposeScope();
        var h = x.add(_attention.forward(_attentionNorm.forward(x, pass.Chains), pass), Scalars.One);
        return h.add(_feedForward.forward(_feedForwardNorm.forward(h, pass.Chains), pass), Scalars.One)
            .MoveToOuterDisposeScope();
    }

    /// <summary>Caches the keys and values that <see cref="forward"/> would, and computes nothing else.</summary>
    public void CacheKeysAndValues(Tensor x, ForwardPass pass)
    {
        using var scope = NewDisposeScope();
        _attention.CacheKeysAndValues(_attentionNorm.forward(x, pass.Chains), pass);
    }
}
