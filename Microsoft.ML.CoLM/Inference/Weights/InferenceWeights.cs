using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>A model's weights on the CPU, as inference reads them.</summary>
internal sealed class InferenceWeights : IDisposable
{
    private readonly CoLMModel _model;
    private readonly bool _rounds;

    /// <param name="model">The model, without adapters.</param>
    public InferenceWeights(CoLMModel model)
    {
        (_model, _rounds, Config, Rotary) = (model, model.RoundsActivations, model.Config, model.Rotary);
        Columns = new FeatureLayout(Config);
        Layers = [.. model.Layers.Select(layer => new LayerWeights(layer, _rounds))];
        Embedding = Matrices(model.Embedding, _rounds);
        Norm = Norms(model.Norm);
        Head = [.. Enumerable.Range(0, Config.ChainCount).Select(chain => WeightMatrix.Of(model.Head.HeadWeight(chain), _rounds))];
    }

    public CoLMConfig Config { get; }

    public RotaryEmbedding Rotary { get; }

    public FeatureLayout Columns { get; }

    public LayerWeights[] Layers { get; }

    public WeightMatrix[] Embedding { get; }

    public NormWeight[] Norm { get; }

    public WeightMatrix[] Head { get; }

    /// <summary>
    /// Whether these are the model's weights as they are now, whatever was written to them since. A matrix that had to be
    /// copied never is.
    /// </summary>
    public bool AreCurrent()
    {
        return _rounds == _model.RoundsActivations && Layers.All(layer => layer.Products.All(Match) && layer.Norms.All(MatchNorms)) &&
            Match((Embedding, _model.Embedding)) && MatchNorms((Norm, _model.Norm)) &&
            Head.Index().All(head => head.Item.Reads(_model.Head.HeadWeight(head.Index)));

        static bool Match((WeightMatrix[] Matrices, ChainModule Module) entry) =>
            entry.Matrices.Index().All(matrix => matrix.Item.Reads(entry.Module.Matrix(matrix.Index)));

        static bool MatchNorms((NormWeight[] Norms, ChainModule Module) entry) =>
            entry.Norms.Index().All(norm => norm.Item.Reads(entry.Module.Weight(norm.Index)));
    }

    /// <summary>A module's matrices, of each chain that has one.</summary>
    public static WeightMatrix[] Matrices(ChainModule module, bool rounds) =>
        [.. Enumerable.Range(0, module.ChainCount).Select(chain => WeightMatrix.Of(module.Matrix(chain), rounds))];

    /// <summary>A norm's weights, of each chain.</summary>
    public static NormWeight[] Norms(ChainModule module) =>
        [.. Enumerable.Range(0, module.ChainCount).Select(chain => new NormWeight(module.Weight(chain)))];

    public void Dispose()
    {
        IEnumerable<WeightMatrix> matrices =
            [.. Embedding, .. Head, .. Layers.SelectMany(layer => layer.Products.SelectMany(entry => entry.Matrices))];
        IEnumerable<NormWeight> norms = [.. Norm, .. Layers.SelectMany(layer => layer.Norms.SelectMany(entry => entry.Norms))];
        foreach (var matrix in matrices)
            matrix.Dispose();
        foreach (var norm in norms)
            norm.Dispose();
    }
}
