using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>
/// The method's formulas written down plainly: one sequence at a time, one head at a time, dense matrices with their
/// blocks of zeros, in float64. It shares nothing with the library but the configuration and the weights' names.
/// </summary>
/// <param name="config">The architecture.</param>
/// <param name="weights">Weights by the names of the model's parameters, in float64.</param>
/// <param name="rounding">
/// A type that the result of every operation is rounded to, as a program that computes in that type rounds it.
/// </param>
internal sealed class ReferenceModel(
    CoLMConfig config, IReadOnlyDictionary<string, Tensor> weights, ScalarType? rounding = null) : IDisposable
{
    /// <summary>A reference with the weights of a model, exactly.</summary>
    public static ReferenceModel Of(CoLMModel model, ScalarType? rounding = null) => new(
        model.Config,
        model.named_parameters().ToDictionary(
            entry => entry.name,
            entry => entry.parameter.detach().to(float64).clone().DetachFromDisposeScope()),
        rounding);

    /// <summary>The weights, by the names of the model's parameters.</summary>
    public IReadOnlyDictionary<string, Tensor> Weights => weights;

    // d, D_i, F_i, g_i of the method.
    private int HeadWidth => config.HeadDimension ?? config.HiddenSize / config.Layout.Heads[0];

    private int FirstKeyValueHeads => config.KeyValueHeadCount ?? config.Layout.Heads[0];

    /// <summary>Logits [batch, length, vocabulary] of ids [batch, length], in float64.</summary>
    public Tensor Logits(Tensor ids, int chainCount)
    {
        using var scope = NewDisposeScope();
        var sequences = Enumerable.Range(0, (int)ids.size(0)).Select(i => LogitsOf(ids[i], chainCount)).ToList();
        return stack(sequences).MoveToOuterDisposeScope();
    }

    public void Dispose()
    {
        foreach (var weight in weights.Values)
            weight.Dispose();
    }

    private Tensor LogitsOf(Tensor ids, int n)
    {
        var hidden = Widths(config.HiddenSize, n);
        var x = cat([.. Chains(n).Select(chain => Weight("embed_tokens", chain).index_select(0, ids))], dim: 1);
        for (var layer = 0; layer < config.LayerCount; layer++)
        {
            var name = $"layers.{layer}";
            var h = Rounded(x + Attention(Norm(x, $"{name}.input_layernorm", n), $"{name}.self_attn", n));
            x = Rounded(h + FeedForward(Norm(h, $"{name}.post_attention_layernorm", n), $"{name}.mlp", n));
        }
        x = Norm(x, "norm", n);

        Tensor? logits = null;
        var start = 0;
        foreach (var chain in Chains(n))
        {
            var head = chain == 0 && config.TieWordEmbeddings ? Weight("embed_tokens", 0) : Weight("lm_head", chain);
            var own = x.narrow(1, start, hidden[chain]).mm(head.t());
            logits = logits is null ? Rounded(own) : Rounded(logits + own);
            start += hidden[chain];
        }
        return logits!;                                                             // [length, vocabulary]
    }

    private Tensor Attention(Tensor x, string name, int n)
    {
        var (hidden, queryWidths) = (Widths(config.HiddenSize, n), Widths(config.Layout.Heads[0] * HeadWidth, n));
        var keyWidths = Widths(FirstKeyValueHeads * HeadWidth, n);
        var queries = Linear(x, Dense($"{name}.q_proj", queryWidths, hidden));
        Tensor keys, values;
        if (config.KvSharing)
        {
            var first = x.narrow(1, 0, config.HiddenSize);
            keys = Linear(first, Weight($"{name}.k_proj", 0));
            values = Linear(first, Weight($"{name}.v_proj", 0));
        }
        else
        {
            keys = Linear(x, Dense($"{name}.k_proj", keyWidths, hidden));
            values = Linear(x, Dense($"{name}.v_proj", keyWidths, hidden));
        }

        List<Tensor> heads = [];
        var keyValueHeadsBefore = 0;
        var angles = Angles(x.size(0));
        foreach (var chain in Chains(n))
        {
            var chainHeads = config.Layout.Heads[chain];
            var chainKeyValueHeads = config.KvSharing ? FirstKeyValueHeads : keyWidths[chain] / HeadWidth;
            for (var head = 0; head < chainHeads; head++)
            {
                var keyValueHead = keyValueHeadsBefore + head / (chainHeads / chainKeyValueHeads);
                heads.Add(Head(
                    angles,
                    queries.narrow(1, heads.Count * HeadWidth, HeadWidth),
                    keys.narrow(1, keyValueHead * HeadWidth, HeadWidth),
                    values.narrow(1, keyValueHead * HeadWidth, HeadWidth)));
            }
            if (!config.KvSharing)
                keyValueHeadsBefore += chainKeyValueHeads;
        }
        return Linear(cat(heads, dim: 1), Dense($"{name}.o_proj", hidden, queryWidths));
    }

    // One head's queries, keys and values, each [length, d].
    private Tensor Head((Tensor Cosine, Tensor Sine) angles, Tensor query, Tensor key, Tensor value)
    {
        var length = query.size(0);
        var future = ones(length, length, dtype: @bool).triu(1);
        var scores = Rounded(Rotated(query, angles).mm(Rotated(key, angles).t()) / Math.Sqrt(HeadWidth));
        var shares = Rounded(scores.masked_fill(future, double.NegativeInfinity).softmax(1));
        return Rounded(shares.mm(value));
    }

    // As Hugging Face writes it: x · cos + rotate_half(x) · sin.
    private Tensor Rotated(Tensor x, (Tensor Cosine, Tensor Sine) angles)
    {
        var half = HeadWidth / 2;
        var turned = cat([-x.narrow(1, half, half), x.narrow(1, 0, half)], dim: 1);
        return Rounded(Rounded(x * angles.Cosine) + Rounded(turned * angles.Sine));
    }

    // Of every position and feature, each [length, d].
    private (Tensor Cosine, Tensor Sine) Angles(long length)
    {
        var frequencies = tensor(Enumerable.Range(0, HeadWidth / 2).Select(Frequency).ToArray(), dtype: float64);
        var angles = outer(arange(length, dtype: float64), frequencies);
        angles = cat([angles, angles], dim: 1);
        return (Rounded(angles.cos()), Rounded(angles.sin()));
    }

    private double Frequency(int pair)
    {
        var frequency = Math.Pow(config.RopeTheta, -2.0 * pair / HeadWidth);
        if (config.RopeScaling is not Llama3RopeScaling scaling)
            return frequency;
        var wavelength = 2 * Math.PI / frequency;
        if (wavelength > scaling.OriginalContextLength / scaling.LowFrequencyFactor)
            return frequency / scaling.Factor;
        if (wavelength < scaling.OriginalContextLength / scaling.HighFrequencyFactor)
            return frequency;
        var smooth = (scaling.OriginalContextLength / wavelength - scaling.LowFrequencyFactor)
            / (scaling.HighFrequencyFactor - scaling.LowFrequencyFactor);
        return (1 - smooth) * (frequency / scaling.Factor) + smooth * frequency;
    }

    private Tensor FeedForward(Tensor x, string name, int n)
    {
        var (hidden, intermediate) = (Widths(config.HiddenSize, n), Widths(config.IntermediateSize, n));
        var gate = Linear(x, Dense($"{name}.gate_proj", intermediate, hidden));
        var up = Linear(x, Dense($"{name}.up_proj", intermediate, hidden));
        var activated = Rounded(gate / (1 + (-gate).exp()));
        return Linear(Rounded(activated * up), Dense($"{name}.down_proj", hidden, intermediate));
    }

    private Tensor Norm(Tensor x, string name, int n)
    {
        List<Tensor> chains = [];
        var start = 0;
        foreach (var chain in Chains(n))
        {
            var weight = Weight(name, chain);
            var own = x.narrow(1, start, weight.size(0));
            var root = (own.pow(2).mean([1], keepdim: true) + config.RmsNormEpsilon).sqrt();
            chains.Add(Rounded(Rounded(own / root) * weight));
            start += (int)weight.size(0);
        }
        return cat(chains, dim: 1);
    }

    private Tensor Linear(Tensor x, Tensor weight) => Rounded(x.mm(weight.t()));

    // The whole matrix of a Chain-of-Linear: chain i's rows read the inputs of chains 1..i, the rest of a row is zero.
    private Tensor Dense(string name, int[] outputs, int[] inputs)
    {
        List<Tensor> rows = [];
        for (var chain = 0; chain < outputs.Length; chain++)
        {
            var (read, unread) = (inputs[..(chain + 1)].Sum(), inputs[(chain + 1)..].Sum());
            var weight = Weight(name, chain);
            CollectionAssert.AreEqual(new long[] { outputs[chain], read }, weight.shape, $"{name}, chain {chain + 1}");
            rows.Add(unread == 0 ? weight : cat([weight, zeros(outputs[chain], unread, dtype: float64)], dim: 1));
        }
        return cat(rows, dim: 0);
    }

    private Tensor Weight(string module, int chain) => weights[$"{module}.chain_{chain + 1}"];

    private int[] Widths(int first, int n) =>
        [.. Chains(n).Select(chain => first * config.Layout.Heads[chain] / config.Layout.Heads[0])];

    private static IEnumerable<int> Chains(int n) => Enumerable.Range(0, n);

    private Tensor Rounded(Tensor x) => rounding is { } type ? x.to(type).to(float64) : x;
}
