using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>A model's weights on the CPU, as inference reads them.</summary>
internal sealed class InferenceWeights : IDisposable
{
    public InferenceWeights(CoLMModel model)
    {
        (Config, Rotary) = (model.Config, model.Rotary);
        var chains = Enumerable.Range(0, Config.ChainCount);
        Columns = new FeatureLayout(Config);
        Layers = [.. model.Layers.Select(layer => new LayerWeights(layer, Config.ChainCount))];
        Embedding = [.. chains.Select(chain => new WeightMatrix(model.Embedding.Weight(chain)))];
        Norm = [.. chains.Select(chain => new WeightMatrix(model.Norm.Weight(chain)))];
        Head = [.. chains.Select(chain => new WeightMatrix(model.Head.HeadWeight(chain)))];
    }

    public CoLMConfig Config { get; }

    public RotaryEmbedding Rotary { get; }

    public FeatureLayout Columns { get; }

    public LayerWeights[] Layers { get; }

    public WeightMatrix[] Embedding { get; }

    public WeightMatrix[] Norm { get; }

    public WeightMatrix[] Head { get; }

    public void Dispose()
    {
        Array.ForEach(Layers, layer => layer.Dispose());
        foreach (var matrix in Embedding.Concat(Norm).Concat(Head))
            matrix.Dispose();
    }
}
