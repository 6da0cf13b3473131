using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>A tiny corpus and a tiny model to train on it.</summary>
internal sealed class TinyTraining : IDisposable
{
    private const int DefaultBatch = 4;

    private readonly TokenSpool _spool;
    private readonly int _frozenChains;
    private readonly double[] _scaleWeights;

    public TinyTraining(
        CoLMConfig config, int frozenChains = 0, double[]? scaleWeights = null, int length = 16,
        ScalarType dtype = ScalarType.Float32)
    {
        Model = CoLMModel.Create(config, seed: 1, CPU, dtype);
        foreach (var (name, parameter) in Model.named_parameters())
            parameter.requires_grad = !Enumerable.Range(1, frozenChains)
                .Any(chain => name.EndsWith($"chain_{chain}", StringComparison.Ordinal));
        var random = new Random(1);
        _spool = TokenSpool.Write(Enumerable.Range(0, 40).Select(_ => (int[])[256,
            .. System.Text.Encoding.UTF8.GetBytes(TextModels.Sentence(random.Next(20, 60))).Select(b => (int)b)]));
        Windows = new TokenWindows(_spool, length, seed: 1);
        var scales = config.Layout.ChainCount - frozenChains;
        _frozenChains = frozenChains;
        _scaleWeights = scaleWeights ?? [.. Enumerable.Repeat(0.0, scales - 1), 1];
        Objective = OfBatches(DefaultBatch);
    }

    public CoLMModel Model { get; }

    public TokenWindows Windows { get; }

    public LanguageModelObjective Objective { get; }

    public Parameter[] Trained => [.. Model.parameters().Where(parameter => parameter.requires_grad)];

    /// <summary>Trains the parameters that are not frozen.</summary>
    public TrainingSummary Train(
        TrainingOptions options, Action<TrainingProgress>? report = null,
        Func<Validation>? validate = null) =>
        new Trainer(options, validate, () => StopRequest.None, report ?? (_ => { })).Train(OfBatches(options.BatchSize), Trained);

    /// <summary>What a validation finds: its objective is the loss at the last chain count.</summary>
    public static Validation Found(params double[] losses) => new(losses[^1], losses, Metrics: []);

    /// <summary>The cross-entropy at a chain count, computed from the logits.</summary>
    public double CrossEntropy(long first, int count, int chainCount)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var (inputs, targets) = Windows.Batch(first, count, CPU);
        var logits = Model.forward(inputs, chainCount).to(float32);
        return nn.functional.cross_entropy(logits.view(-1, logits.size(2)), targets.view(-1)).ToDouble();
    }

    /// <summary>Copies of the parameters' values by name.</summary>
    public static Dictionary<string, float[]> Values(CoLMModel model) =>
        model.ChainParameters().ToDictionary(
            entry => entry.name, entry => entry.parameter.detach().to(float32).data<float>().ToArray());

    /// <summary>The training with batches of another size.</summary>
    public LanguageModelObjective OfBatches(int size) => new(Model, _frozenChains, Windows, size, _scaleWeights);

    public void Dispose()
    {
        Model.Dispose();
        _spool.Dispose();
    }
}
