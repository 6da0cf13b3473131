using Microsoft.ML.CoLM.Modules;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>A model's weights on the CPU, and where each chain's features lie in a row of all of them.</summary>
internal sealed class InferenceWeights : IDisposable
{
    public InferenceWeights(CoLMModel model)
    {
        var config = Config = model.Config;
        Rotary = model.Rotary;
        var chains = Enumerable.Range(0, config.ChainCount);
        Layers = [.. model.Layers.Select(layer => new LayerWeights(layer, config.ChainCount))];
        Embedding = [.. chains.Select(chain => new WeightMatrix(model.Embedding.Weight(chain)))];
        Norm = [.. chains.Select(chain => new WeightMatrix(model.Norm.Weight(chain)))];
        Head = [.. chains.Select(chain => new WeightMatrix(model.Head.HeadWeight(chain)))];
        Hidden = Offsets(chains.Select(config.Hidden));
        Queries = Offsets(chains.Select(config.QueryWidth));
        Intermediate = Offsets(chains.Select(config.Intermediate));
        KeyValues = Offsets(chains.Take(config.KeyValueChains).Select(chain => config.KeyValueHeads(chain) * config.HeadWidth));
    }

    public CoLMConfig Config { get; }

    public RotaryEmbedding Rotary { get; }

    public LayerWeights[] Layers { get; }

    public WeightMatrix[] Embedding { get; }

    public WeightMatrix[] Norm { get; }

    public WeightMatrix[] Head { get; }

    /// <summary>For each chain its first feature, and then the end of the last.</summary>
    public int[] Hidden { get; }

    /// <summary>As <see cref="Hidden"/>, in the queries.</summary>
    public int[] Queries { get; }

    /// <summary>As <see cref="Hidden"/>, in the feed-forward features.</summary>
    public int[] Intermediate { get; }

    /// <summary>As <see cref="Hidden"/>, in the keys; only chains that have keys of their own.</summary>
    public int[] KeyValues { get; }

    public void Dispose()
    {
        Array.ForEach(Layers, layer => layer.Dispose());
        foreach (var matrix in Embedding.Concat(Norm).Concat(Head))
            matrix.Dispose();
    }

    private static int[] Offsets(IEnumerable<int> widths)
    {
        List<int> offsets = [0];
        foreach (var width in widths)
            offsets.Add(offsets[^1] + width);
        return [.. offsets];
    }
}
