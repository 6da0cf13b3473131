using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Training;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>A step's gradient is that of all its examples, in whatever passes they are read.</summary>
[TestClass, DoNotParallelize]
public sealed class AccumulationTests
{
    private const int ExampleCount = 6;
    private const int ClassCount = 3;

    private static readonly int[][] Examples =
    [
        .. Enumerable.Range(0, ExampleCount)
            .Select(i => Enumerable.Range(0, 2 + 5 * i).Select(t => (7 * i + 3 * t) % 40).ToArray()),
    ];

    private static readonly float[] Labels = [0, 2, 1, 1, 0, 2];

    private static readonly Dictionary<string, Func<CoLMModel, ChainHead, TokenWindows, int, BatchObjective>> Objectives = new()
    {
        ["classes"] = (model, head, _, batch) => Prediction(model, head, batch, new ClassLoss()),
        ["weighted classes"] = (model, head, _, batch) => Prediction(model, head, batch, new ClassLoss([0.2, 5, 1])),
        ["weighted and smoothed classes"] = (model, head, _, batch) =>
            Prediction(model, head, batch, new ClassLoss([0.2, 5, 1], 0.25)),
        ["numbers"] = (model, head, _, batch) => Prediction(model, head, batch, new SquaredLoss()),
        ["completions"] = (model, _, _, batch) => new CompletionObjective(
            new ExampleFeatures(model, 1, Examples, frozen: null),
            [.. Examples.Select((tokens, i) => new CompletionTokens(tokens, tokens.Length - 1 - i))],
            Order(batch), [0, 1, 0.5]),
        ["language modelling"] = (model, _, windows, batch) =>
            new LanguageModelObjective(model, 1, windows, batch, [1, 0.5]),
        ["language heads"] = (model, _, windows, batch) =>
            new LanguageHeadObjective(model, windows, batch, [1, 0.25, 1]),
    };

    public static IEnumerable<string> ObjectiveNames => Objectives.Keys;

    [TestMethod]
    [DynamicData(nameof(ObjectiveNames))]
    public void OneBatchOfSeveralEqualsSeveralPassesOfOne(string objective)
    {
        var (expectedLoss, expected) = FirstStep(objective, batch: ExampleCount, passes: 1);
        // The second pass of four has two examples left.
        foreach (var (batch, passes) in ((int, int)[])[(1, ExampleCount), (2, 3), .. Uneven(objective)])
        {
            var (loss, gradients) = FirstStep(objective, batch, passes);
            Assert.AreEqual(expectedLoss, loss, 1e-6 * expectedLoss, $"{passes} passes of {batch}");
            foreach (var (name, gradient) in gradients)
            {
                var largest = expected[name].Max(Math.Abs);
                Assert.IsGreaterThan(0, largest, name);
                for (var i = 0; i < gradient.Length; i++)
                    Assert.AreEqual(expected[name][i], gradient[i], 2e-5 * largest, $"{name}, {passes} passes of {batch}");
            }
        }
    }

    // Windows all stand in whole batches.
    private static (int, int)[] Uneven(string objective) => objective.StartsWith("language", StringComparison.Ordinal) ? [] : [(4, 2)];

    private static (double Loss, Dictionary<string, float[]> Gradients) FirstStep(string objective, int batch, int passes)
    {
        using var model = TestModels.Random(TestModels.Config(4, 2, 4));
        using var head = new ChainHead(model.Config, objective == "numbers" ? 1 : ClassCount, CPU, FeaturePooling.LastToken);
        head.Initialise(seed: 5);
        foreach (var (name, parameter) in model.named_parameters())
            parameter.requires_grad = IsTrained(objective, ParameterName.Parse(name));
        (string Name, Parameter Parameter)[] trained =
        [
            .. model.named_parameters().Where(entry => entry.parameter.requires_grad),
            .. UsesHead(objective) ? head.named_parameters() : [],
        ];
        var options = new ChainTuningEstimator.Options
        {
            GradientAccumulationSteps = passes,
            MaxSteps = 1,
            MaxGradientNorm = double.PositiveInfinity,
        };
        var loss = double.NaN;
        Dictionary<string, float[]> gradients = [];
        void Report(TrainingProgress progress) => (loss, gradients) = (progress.Loss, trained.ToDictionary(
            entry => entry.Name, entry => entry.Parameter.grad!.data<float>().ToArray()));
        using var spool = TokenSpool.Write(Examples);
        var windows = new TokenWindows(spool, length: 7, seed: 1);
        new Trainer(options, validate: null, () => StopRequest.None, Report).Train(
            Objectives[objective](model, head, windows, batch), [.. trained.Select(entry => entry.Parameter)]);
        return (loss, gradients);
    }

    // As the estimators have it.
    private static bool IsTrained(string objective, (string Module, int Chain) parameter)
    {
        var isHead = parameter.Module == ParameterName.Head;
        return objective == "language heads" ? isHead : parameter.Chain > 0 && !(isHead && UsesHead(objective));
    }

    private static bool UsesHead(string objective) => objective.Contains("classes", StringComparison.Ordinal) || objective == "numbers";

    private static PredictionObjective Prediction(CoLMModel model, ChainHead head, int batch, PredictionLoss loss) =>
        new(new ExampleFeatures(model, 1, Examples, frozen: null), head, Labels, Order(batch), loss, [1, 0.5, 1]);

    private static ExampleOrder Order(int batch) =>
        new(Array.ConvertAll(Examples, ids => ids.Length), batch, seed: 1);
}
