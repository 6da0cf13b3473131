using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>
/// A head, of the language or of a task: outputs at scale k are Σ_{i≤k} head_i · norm_i(x_i), so each scale adds to the
/// one before and reads the first columns of one matrix.
/// </summary>
/// <remarks>With tied embeddings the language head's first chain is the embedding and has no weight here.</remarks>
internal sealed class ChainHead : ChainModule
{
    private readonly ChainEmbedding? _tied;

    /// <summary>The language head.</summary>
    public ChainHead(CoLMConfig config, ChainEmbedding embedding, Device device, ScalarType dtype) : base(
        nameof(ChainHead),
        Enumerable.Range(0, config.ChainCount).Select(chain => chain == 0 && config.TieWordEmbeddings
            ? null : new long[] { config.VocabularySize, config.Hidden(chain) }),
        device, dtype, formats: config.WeightFormats) => _tied = config.TieWordEmbeddings ? embedding : null;

    /// <summary>The head of a task, in float32.</summary>
    /// <param name="config">The model whose features it reads.</param>
    /// <param name="outputCount">Classes, or 1 for a number.</param>
    /// <param name="device">Where the weights live.</param>
    /// <param name="pooling">What it reads of a text's tokens.</param>
    public ChainHead(CoLMConfig config, int outputCount, Device device, FeaturePooling pooling) : base(
        nameof(ChainHead),
        Enumerable.Range(0, config.ChainCount).Select(chain => new long[] { outputCount, config.Hidden(chain) }),
        device, ScalarType.Float32, keepsType: true) => Pooling = pooling;

    /// <summary>What a task's head reads of a text's tokens; the language head reads every one.</summary>
    public FeaturePooling Pooling { get; }

    /// <summary>Gives a task's head its first values, normal(0, 0.02).</summary>
    public void Initialise(int seed)
    {
        using var noGradients = no_grad();
        using var generator = new Generator((ulong)seed);
        for (var chain = 0; chain < ChainCount; chain++)
            CoLMModel.FillNormal(Weight(chain), generator);
    }

    /// <summary>Logits at every scale of a range.</summary>
    /// <param name="features">[rows, D], the normalised features of the range's chains.</param>
    /// <param name="chains">The chains to add.</param>
    /// <param name="earlier">[rows, V], the logits at the scale before the range; null when the range is the first.</param>
    /// <returns>[rows, V] for each chain of the range: the logits at the scale that ends with it.</returns>
    public List<Tensor> Scales(Tensor features, ChainRange chains, Tensor? earlier)
    {
        using var scope = NewDisposeScope();
        List<Tensor> scales = [];
        var logits = earlier;
        long start = 0;
        for (var chain = chains.First; chain < chains.End; chain++)
        {
            var head = HeadWeight(chain);
            logits = HeadGemm.Add(logits, features.narrow(1, start, head.Width), head);
            scales.Add(logits.MoveToOuterDisposeScope());
            start += head.Width;
        }
        return scales;
    }

    /// <summary>
    /// Makes the logits at one scale of those at the one before, in their memory, and in float32 whatever the weights are; without
    /// gradients.
    /// </summary>
    /// <param name="features">[rows, D], the normalised features of chains from one on.</param>
    /// <param name="chain">The chain to add.</param>
    /// <param name="logits">[rows, V], float32, the logits at the scale before; null when the chain is the first.</param>
    /// <param name="firstChain">The chain that the features begin with.</param>
    /// <returns>[rows, V], float32, the same tensor where there was one.</returns>
    public Tensor Next(Tensor features, int chain, Tensor? logits, int firstChain = 0)
    {
        using var scope = NewDisposeScope();
        var start = Enumerable.Range(firstChain, chain - firstChain).Sum(before => HeadWeight(before).Width);
        var own = features.narrow(1, start, HeadWeight(chain).Width);
        var isFirst = logits is null;
        logits ??= empty(own.size(0), HeadWeight(chain).Outputs, dtype: ScalarType.Float32, device: own.device)
            .MoveToOuterDisposeScope();
        HeadGemm.AddTo(logits, own, HeadWeight(chain), adds: !isFirst);
        return logits;
    }

    /// <summary>The cross-entropies at the scales of a range, weighted and summed: <see cref="ScaleCrossEntropyFunction"/>.</summary>
    /// <param name="features">[rows, D], the normalised features of the range's chains.</param>
    /// <param name="chains">The chains whose scales count.</param>
    /// <param name="earlier">[rows, E], the normalised features of the chains before the range; null for none.</param>
    /// <param name="targets">[rows], Int64: which output is right.</param>
    /// <param name="weights">Weight of each scale of the range; zero leaves it out.</param>
    /// <returns>A scalar: the sum over rows, and over the weighted scales.</returns>
    public Tensor CrossEntropy(
        Tensor features, ChainRange chains, Tensor? earlier, Tensor targets, IReadOnlyList<double> weights)
    {
        using var scope = NewDisposeScope();
        var (own, heads) = (new Tensor[chains.End], new LinearWeight[chains.End]);
        var (before, start) = (0L, 0L);
        for (var chain = 0; chain < chains.End; chain++)
        {
            heads[chain] = HeadWeight(chain);
            var width = heads[chain].Width;
            if (chain < chains.First)
                (own[chain], before) = (earlier!.narrow(1, before, width), before + width);
            else
                (own[chain], start) = (features.narrow(1, start, width), start + width);
        }
        return ScaleCrossEntropyFunction.Apply(own, heads, targets, [.. new double[chains.First], .. weights])
            .MoveToOuterDisposeScope();
    }

    /// <summary>Logits at the scale that ends with the range; parameters as in <see cref="Scales"/>.</summary>
    /// <returns>[rows, V].</returns>
    public Tensor forward(Tensor features, ChainRange chains, Tensor? earlier)
    {
        var scales = Scales(features, chains, earlier);
        for (var i = 0; i < scales.Count - 1; i++)
            scales[i].Dispose();
        return scales[^1];
    }

    /// <summary>V × D_i, the chain's head or the embedding that it is tied to.</summary>
    internal LinearWeight HeadWeight(int chain) => chain == 0 && _tied is not null ? _tied.Matrix(0) : Matrix(chain);
}
