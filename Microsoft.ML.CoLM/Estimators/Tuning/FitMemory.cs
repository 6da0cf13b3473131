using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What fitting takes, counted from the architecture before there is a model.</summary>
internal static class FitMemory
{
    /// <summary>Parameters of a model's chains.</summary>
    /// <param name="config">The model.</param>
    /// <param name="firstChain">The first chain that counts.</param>
    /// <param name="end">The one behind the last that counts; null for all.</param>
    public static long Parameters(CoLMConfig config, int firstChain = 0, int? end = null)
    {
        // Layers are alike: a configuration may name a billion of them.
        var one = Count(config with { LayerCount = 1 }, firstChain, end ?? config.ChainCount);
        var two = Count(config with { LayerCount = 2 }, firstChain, end ?? config.ChainCount);
        return Bounded(one + (config.LayerCount - 1) * (two - one));
    }

    /// <summary>Parameters of the language heads of some chains.</summary>
    public static long HeadParameters(CoLMConfig config, int firstChain) => Enumerable
        .Range(firstChain, config.ChainCount - firstChain)
        .Where(chain => chain > 0 || !config.TieWordEmbeddings)
        .Sum(chain => (long)config.VocabularySize * config.Hidden(chain));

    /// <summary>Parameters of adapters on a model's chains from one on.</summary>
    public static long AdapterParameters(CoLMConfig config, int firstChain, LoraOptions lora)
    {
        Int128 count = 0;
        for (var chain = firstChain; chain < config.ChainCount; chain++)
        {
            foreach (var tensor in ChainTensors.Of(config with { LayerCount = 1 }, chain))
            {
                if (ProjectionOf(tensor.Name) is { } projection && lora.Covers(projection))
                    count += (Int128)config.LayerCount * lora.Rank * (tensor.Shape[0] + tensor.Shape[1]);
            }
        }
        return Bounded(count);
    }

    /// <summary>Bytes beside the model that training takes; see <see cref="TrainingOptions"/>.</summary>
    /// <param name="parameters">Parameters that are trained.</param>
    /// <param name="type">Their type.</param>
    /// <param name="options">How they are trained.</param>
    /// <param name="isValidated">Whether there is a validation set.</param>
    public static long OfTraining(long parameters, ScalarType type, TrainingOptions options, bool isValidated)
    {
        long size = type.ElementSize();
        const int Means = 2 * sizeof(float);
        // Of 16 bits, the weights in float32 and, over several passes, the sum of gradients stand beside them.
        var ofEach = Means + size + (size == sizeof(float) ? 0
            : sizeof(float) + (options.GradientAccumulationSteps > 1 ? sizeof(float) : 0));
        var ofBest = options.RestoreBest && isValidated ? size : 0;
        return Bounded((Int128)parameters * (ofEach + ofBest));
    }

    /// <summary>The sum, or the largest number where it is larger.</summary>
    public static long Sum(params ReadOnlySpan<long> bytes)
    {
        Int128 sum = 0;
        foreach (var part in bytes)
            sum += part;
        return Bounded(sum);
    }

    /// <summary>Bytes of a model's chains, each in the format that the configuration names.</summary>
    /// <param name="config">The model.</param>
    /// <param name="type">The type of what is not quantised.</param>
    /// <param name="firstChain">The first chain that counts.</param>
    /// <param name="end">The one behind the last that counts; null for all.</param>
    public static long OfChains(CoLMConfig config, ScalarType type, int firstChain = 0, int? end = null)
    {
        Int128 ofGroups = 0;
        for (var chain = firstChain; chain < (end ?? config.ChainCount); chain++)
            ofGroups += Parameters(config, chain, chain + 1) * (Int128)BytesOfGroup(config.WeightFormats[chain], type);
        return Bounded(ofGroups / PackedWeight.GroupWidth);
    }

    /// <summary>Bytes of parameters in a type.</summary>
    public static long Bytes(long parameters, ScalarType type) => Bounded((Int128)parameters * type.ElementSize());

    // Of as many parameters as share a scale.
    private static long BytesOfGroup(WeightFormat? format, ScalarType type) => format is { } packed
        ? PackedParameters.BytesOfGroup(packed)
        : type.ElementSize() * PackedWeight.GroupWidth;

    private static Int128 Count(CoLMConfig config, int firstChain, int end)
    {
        Int128 count = 0;
        for (var chain = firstChain; chain < end; chain++)
        {
            foreach (var tensor in ChainTensors.Of(config, chain))
                count += tensor.Shape.Aggregate((Int128)1, (product, size) => product * size);
        }
        return count;
    }

    private static Modules.Projection? ProjectionOf(string tensor) => tensor.Split('.')[^2] switch
    {
        "q_proj" => Modules.Projection.Query,
        "k_proj" => Modules.Projection.Key,
        "v_proj" => Modules.Projection.Value,
        "o_proj" => Modules.Projection.Output,
        "gate_proj" => Modules.Projection.Gate,
        "up_proj" => Modules.Projection.Up,
        "down_proj" => Modules.Projection.Down,
        _ => null,
    };

    private static long Bounded(Int128 number) => (long)Int128.Min(number, long.MaxValue);
}
