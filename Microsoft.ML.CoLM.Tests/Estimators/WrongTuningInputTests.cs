using System.Collections.Concurrent;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Training;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>What Chain Tuning refuses, and by what name.</summary>
[TestClass, DoNotParallelize]
public sealed class WrongTuningInputTests
{
    private static readonly Dictionary<string, (Action<ChainTuningEstimator.Options>, string[])> Wrong = new()
    {
        ["Transformer"] = (options => options.Transformer = null, []),
        ["Task"] = (options => options.Task = (TuningTask)9, ["9"]),
        ["FrozenChains"] = (options => options.FrozenChains = -1, ["-1"]),
        ["LabelColumnName"] = (options => options.LabelColumnName = "", []),
        ["TextColumnName"] = (options => options.TextColumnName = null!, []),
        ["SecondTextColumnName"] = (options => options.SecondTextColumnName = "", []),
        ["Column names"] = (options => options.SecondTextColumnName = "Text", ["Text, Text"]),
        ["Column names, of label and text"] = (options => options.LabelColumnName = "Text", ["Text, Text"]),
        ["Column names, of prompt and response"] = (
            options => (options.Task, options.PromptColumnName) = (TuningTask.Completion, "Response"), ["Response, Response"]),
        ["PromptColumnName"] = (
            options => (options.Task, options.PromptColumnName) = (TuningTask.Completion, ""), []),
        ["ResponseColumnName"] = (
            options => (options.Task, options.ResponseColumnName) = (TuningTask.Completion, ""), []),
        ["SecondTextColumnName, of a completion"] = (
            options => (options.Task, options.SecondTextColumnName) = (TuningTask.Completion, "Second"), ["Task"]),
        ["Template"] = (options => (options.Task, options.Template) = (TuningTask.Completion, "{0}"), ["\"{0}\""]),
        ["Lora"] = (
            options => (options.Task, options.Lora) = (TuningTask.LanguageHeads, new LoraOptions()), ["LanguageHeads"]),
        ["AddedChains"] = (
            options => (options.Task, options.AddedChains) = (TuningTask.LanguageHeads, [4]), ["LanguageHeads"]),
        ["Initialization"] = (options => options.Initialization = (ChainInitialization)3, ["3"]),
        ["Initialization, of heads alone"] = (options =>
            (options.Task, options.Initialization) = (TuningTask.LanguageHeads, ChainInitialization.CopyFirstChain),
            ["LanguageHeads"]),
        ["Lora.Alpha"] = (options => options.Lora = new LoraOptions { Alpha = -1 }, ["-1"]),
        ["Pooling"] = (options => options.Pooling = (FeaturePooling)7, ["7"]),
        ["HeadLearningRate"] = (options => options.HeadLearningRate = 0, ["0"]),
        ["HeadLearningRate, no number"] = (options => options.HeadLearningRate = double.NaN, ["NaN"]),
        ["HeadLearningRate, of a completion"] = (
            options => (options.Task, options.HeadLearningRate) = (TuningTask.Completion, 0.1), ["Task", "Label"]),
        ["LabelSmoothing"] = (options => options.LabelSmoothing = 1, ["1"]),
        ["LabelSmoothing, no number"] = (options => options.LabelSmoothing = double.NaN, ["NaN"]),
        ["ClassWeights"] = (options => options.ClassWeights = [1, -2, 1], ["-2"]),
        ["ClassWeights, no number"] = (options => options.ClassWeights = [1, double.NaN, 1], ["NaN"]),
        ["ClassWeights, infinite"] = (options => options.ClassWeights = [1, double.PositiveInfinity, 1], ["Infinity"]),
        ["ClassWeights, of nothing"] = (options => options.ClassWeights = [1, 0, 1], ["0"]),
        ["ScaleWeights"] = (options => options.ScaleWeights = [1, 0], ["0"]),
        ["ScaleWeights, negative"] = (options => options.ScaleWeights = [-1, 1], ["-1"]),
        ["FrozenFeatureMemoryBytes"] = (options => options.FrozenFeatureMemoryBytes = -1, ["-1"]),
        ["FrozenFeatureFolder"] = (options => options.FrozenFeatureFolder = "", ["an empty name"]),
        ["FrozenFeatureDiskBytes"] = (options => options.FrozenFeatureDiskBytes = -1, ["-1"]),
        ["EarlyStoppingPatience"] = (options => options.EarlyStoppingPatience = 0, ["0"]),
        ["BatchSize"] = (options => options.BatchSize = 0, ["0"]),
        ["SequenceLength"] = (options => options.SequenceLength = 0, ["0"]),
        ["LearningRate"] = (options => options.LearningRate = double.NaN, ["NaN"]),
    };

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(4, 4);
    private readonly ElasticScoringTransformer _source;
    private readonly ConcurrentQueue<string> _warnings = new();

    public WrongTuningInputTests()
    {
        _source = _mlContext.Scorer(_model);
        _mlContext.Log += (_, message) =>
        {
            if (message.Kind == ChannelMessageKind.Warning)
                _warnings.Enqueue(message.RawMessage);
        };
    }

    public static IEnumerable<object[]> WrongOptions => Wrong.Keys.Select(name => new object[] { name });

    [TestCleanup]
    public void Dispose()
    {
        _source.Dispose();
        _model.Dispose();
    }

    [TestMethod]
    [DynamicData(nameof(WrongOptions))]
    public void AWrongOptionIsRefusedByItsNameBeforeAnythingRuns(string name)
    {
        var options = Tuning.Steps(_source);
        var (change, named) = Wrong[name];
        change(options);
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Transforms.ChainTuning(options));
        foreach (var part in (string[])[name.Split(',')[0], .. named])
            Assert.Contains(part, error.Message);
    }

    [TestMethod]
    public void CopiesOfTheFirstChainAreRefusedWhereNoneIsAdded()
    {
        var options = Tuning.Steps(_source);
        options.Initialization = ChainInitialization.CopyFirstChain;
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Tune(options));
        foreach (var part in (string[])["Initialization", "CopyFirstChain", "AddedChains", "{4,4}"])
            Assert.Contains(part, error.Message);
    }

    [TestMethod]
    public void NothingAtAllIsRefused()
    {
        Assert.Throws<ArgumentNullException>(() => _mlContext.Transforms.ChainTuning((ChainTuningEstimator.Options)null!));
        Assert.Throws<ArgumentNullException>(() => _mlContext.Transforms.ChainTuning((ElasticScoringTransformer)null!));
        var estimator = _mlContext.Transforms.ChainTuning(_source);
        Assert.Throws<ArgumentNullException>(() => estimator.Fit(null!));
        Assert.Throws<ArgumentNullException>(() => estimator.GetOutputSchema(null!));
    }

    [TestMethod]
    public void OptionsThatChangeLaterChangeNothing()
    {
        var options = Tuning.Steps(_source, steps: 1);
        var classWeights = new double[] { 1, 1, 1 };
        (options.ClassWeights, options.AddedChains) = (classWeights, [4]);
        options.ScaleWeights = [1, 1, 1];
        options.Lora = new LoraOptions { Rank = 2 };
        var estimator = _mlContext.Transforms.ChainTuning(options);
        options.Lora.Rank = 0;
        (options.Transformer, options.LabelColumnName, options.BatchSize) = (null, "Nothing", 0);
        (options.AddedChains[0], classWeights[0]) = (3, double.NaN);
        using var tuned = estimator.Fit(_mlContext.Keyed());
        Assert.AreEqual(new ChainLayout(4, 4, 4), tuned.Model.Config.Layout);
        Assert.AreEqual(2, tuned.Model.Adapters!.Lora.Rank);
    }

    [TestMethod]
    [DataRow("Text")]
    [DataRow("Second")]
    [DataRow("Label")]
    public void AMissingColumnIsNamed(string column)
    {
        var rows = _mlContext.Keyed();
        var without = _mlContext.Transforms.DropColumns(column).Fit(rows).Transform(rows);
        var options = Tuning.Steps(_source, steps: 1);
        options.SecondTextColumnName = "Second";
        var estimator = _mlContext.Transforms.ChainTuning(options);
        Assert.Contains($"'{column}'", Assert.Throws<ArgumentException>(() => estimator.Fit(without)).Message);
        Assert.Contains($"'{column}'", Assert.Throws<ArgumentException>(
            () => estimator.GetOutputSchema(Shapes.Of(without.Schema))).Message);
        options.ValidationSet = without;
        Assert.Contains($"'{column}'", Assert.Throws<ArgumentException>(() => _mlContext.Tune(options)).Message);

        options.ValidationSet = null;
        using var tuned = _mlContext.Tune(options);
        if (column != "Label")
            Assert.Contains($"'{column}'", Assert.Throws<ArgumentException>(() => tuned.Transform(without)).Message);
    }

    [TestMethod]
    [DataRow("Class", "String")]
    [DataRow("Number", "Int32")]
    public void ALabelOfATypeThatFitsNoTaskIsNamed(string column, string type)
    {
        var options = Tuning.Steps(_source, steps: 1);
        options.LabelColumnName = column;
        var estimator = _mlContext.Transforms.ChainTuning(options);
        foreach (var refused in (Action[])[
            () => estimator.Fit(_mlContext.Labelled()),
            () => estimator.GetOutputSchema(Shapes.Of(_mlContext.Labelled().Schema))])
        {
            var error = Assert.Throws<ArgumentException>(refused);
            Assert.Contains($"'{column}'", error.Message);
            Assert.Contains(type, error.Message);
            Assert.Contains("MapValueToKey", error.Message);
        }
    }

    [TestMethod]
    public void ATextColumnThatIsNoTextIsNamed()
    {
        var options = Tuning.Steps(_source, steps: 1);
        options.TextColumnName = "Degrees";
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Tune(options));
        Assert.Contains("'Degrees'", error.Message);
        Assert.Contains("Single", error.Message);
    }

    [TestMethod]
    public void ASingleClassIsRefusedByItsName()
    {
        LabelledRow[] same = [.. Tuning.Data.Where(row => row.Class == "hot")];
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Tune(Tuning.Steps(_source), _mlContext.Keyed(same)));
        Assert.Contains("'Label'", error.Message);
        Assert.Contains("'hot'", error.Message);
        var options = Tuning.Steps(_source);
        options.LabelColumnName = "IsWarm";
        error = Assert.Throws<ArgumentException>(() => _mlContext.Tune(options, _mlContext.Labelled(same)));
        Assert.Contains("'IsWarm'", error.Message);
        Assert.Contains("'True'", error.Message);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void AClassThatTrainingNeverSawIsRefusedInValidation(bool isInTheTrainingKey)
    {
        // Known to the key, but without a row; or not even known. The validation set counts its keys in another order.
        var rows = _mlContext.Keyed([.. Tuning.Data, Tuning.Data[0] with { Class = "odd" }]);
        var training = isInTheTrainingKey
            ? _mlContext.Data.FilterByCustomPredicate<LabelledRow>(rows, row => row.Class == "odd")
            : _mlContext.Keyed();
        var options = Tuning.Steps(_source, steps: 1);
        options.ValidationSet = _mlContext.Keyed([Tuning.Data[2], Tuning.Data[1] with { Class = "odd" }, Tuning.Data[0]]);
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Tune(options, training));
        Assert.Contains("'Label'", error.Message);
        Assert.Contains("'odd'", error.Message);
        Assert.Contains("validation", error.Message);
    }

    [TestMethod]
    public void AValidationLabelOfAnotherTypeIsRefused()
    {
        var options = Tuning.Steps(_source, steps: 1);
        var data = _mlContext.Labelled();
        options.ValidationSet = _mlContext.Transforms.CopyColumns("Label", "IsWarm").Fit(data).Transform(data);
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Tune(options));
        Assert.Contains("'Label'", error.Message);
        Assert.Contains("validation", error.Message);
        Assert.Contains("Boolean", error.Message);
    }

    [TestMethod]
    public void RowsWithoutALabelAreLeftOutWithAWarning()
    {
        LabelledRow[] missing = [.. Tuning.Data.Take(5).Select(row => row with { Class = null, Degrees = float.NaN })];
        var (few, some) = (Tuning.Steps(_source), Tuning.Steps(_source));
        using var expected = _mlContext.Tune(few);
        Assert.IsEmpty(_warnings);
        using var tuned = _mlContext.Tune(some, _mlContext.Keyed([.. missing, .. Tuning.Data]));
        Assert.ContainsSingle(_warnings);
        foreach (var part in (string[])["5 rows", "'Label'", "training"])
            Assert.Contains(part, _warnings.First());
        CollectionAssert.AreEqual(_mlContext.Predict(expected).Scores(), _mlContext.Predict(tuned).Scores());

        _warnings.Clear();
        some.LabelColumnName = "Degrees";
        _mlContext.Tune(some, _mlContext.Labelled([.. missing, .. Tuning.Data])).Dispose();
        Assert.Contains("'Degrees'", Assert.ContainsSingle(_warnings));
        Assert.Contains("'Degrees'", Assert.Throws<ArgumentException>(
            () => _mlContext.Tune(some, _mlContext.Labelled(missing))).Message);
    }

    [TestMethod]
    public void RowsThatLoseTokensAreWarnedOf()
    {
        int[] lengths = [.. Tuning.Data.Select(
            row => _source.Tokenizer.EncodeDocument(row.Text!, _model.Config.BosTokenId).Length)];
        var options = Tuning.Steps(_source, steps: 1);
        options.SequenceLength = lengths.Max() - 1;
        _mlContext.Tune(options).Dispose();
        var cut = lengths.Count(length => length > options.SequenceLength);
        Assert.Contains($"{cut} rows of the training data have more than {options.SequenceLength} tokens",
            Assert.ContainsSingle(_warnings));
        Assert.Contains("SequenceLength", _warnings.First());

        _warnings.Clear();
        options.SequenceLength++;
        options.ValidationSet = _mlContext.Keyed();
        _mlContext.Tune(options).Dispose();
        Assert.IsEmpty(_warnings);

        // Of a pair, the tokens of both count.
        options.SecondTextColumnName = "Second";
        _mlContext.Tune(options).Dispose();
        Assert.HasCount(2, _warnings);
        foreach (var what in new[] { "the training data", "the validation set" })
            Assert.Contains(warning => warning.Contains($"rows of {what} have more", StringComparison.Ordinal), _warnings);
    }

    [TestMethod]
    public void AClassWithoutRowsIsWarnedOf()
    {
        var rows = _mlContext.Data.FilterByCustomPredicate<LabelledRow>(_mlContext.Keyed(), row => row.Class == "warm");
        using var tuned = _mlContext.Tune(Tuning.Steps(_source, steps: 1), rows);
        Assert.Contains("'warm'", Assert.ContainsSingle(_warnings));
        Assert.HasCount(3, _mlContext.Predict(tuned)[0].Score);
    }

    [TestMethod]
    public void NoRowsAreRefused()
    {
        var rows = _mlContext.Data.FilterByCustomPredicate<LabelledRow>(_mlContext.Keyed(), _ => true);
        Assert.Contains("'Label'",
            Assert.Throws<ArgumentException>(() => _mlContext.Tune(Tuning.Steps(_source), rows)).Message);
        var options = Tuning.Steps(_source);
        options.ValidationSet = rows;
        Assert.Contains("validation", Assert.Throws<ArgumentException>(() => _mlContext.Tune(options)).Message);
    }

    [TestMethod]
    public void AnEmptyTextIsReadAsItsBeginningAlone()
    {
        LabelledRow[] rows = [.. Tuning.Data, Tuning.Data[0] with { Text = "" }, Tuning.Data[1] with { Text = null }];
        using var tuned = _mlContext.Tune(Tuning.Steps(_source), _mlContext.Keyed(rows));
        Assert.IsEmpty(_warnings);
        var predictions = _mlContext.Predict(tuned, rows);
        CollectionAssert.AreEqual(predictions[^1].Score, predictions[^2].Score);
        Assert.IsTrue(predictions.All(prediction => prediction.Score.All(float.IsFinite)));
    }

    [TestMethod]
    [DataRow(new double[] { 1, 2 })]
    [DataRow(new double[] { 1, 2, 3, 4 })]
    [DataRow(new double[0])]
    public void ClassWeightsOfAnotherCountAreRefused(double[] weights)
    {
        var options = Tuning.Steps(_source, steps: 1);
        options.ClassWeights = weights;
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Tune(options));
        foreach (var part in (string[])["ClassWeights", "3 classes", "cold, warm, hot", $"found {weights.Length}"])
            Assert.Contains(part, error.Message);
    }

    [TestMethod]
    [DataRow("Label", null, new double[] { 1 })]
    [DataRow("Label", null, new double[] { 1, 1, 1 })]
    [DataRow("Degrees", new[] { 4 }, new double[] { 1, 1 })]
    public void ScaleWeightsOfAnotherCountAreRefused(string label, int[]? added, double[] weights)
    {
        var options = Tuning.Steps(_source, steps: 1);
        (options.LabelColumnName, options.ScaleWeights, options.AddedChains) = (label, weights, added);
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Tune(options));
        foreach (var part in (string[])["ScaleWeights", $"{(added is null ? 2 : 3)} chains", $"found {weights.Length}"])
            Assert.Contains(part, error.Message);
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void NoChainThatIsTunedIsRefused(int frozenChains)
    {
        var options = Tuning.Steps(_source, steps: 1);
        options.FrozenChains = frozenChains;
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Tune(options));
        foreach (var part in (string[])["FrozenChains", "{4,4}", "LanguageHeads", $"found {frozenChains}"])
            Assert.Contains(part, error.Message);
    }

    [TestMethod]
    public void HeadsAloneHaveAllChainsFrozen()
    {
        var options = Tuning.Steps(_source, steps: 1);
        (options.Task, options.FrozenChains) = (TuningTask.LanguageHeads, 1);
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Tune(options));
        foreach (var part in (string[])["FrozenChains", "2 chains", "found 1"])
            Assert.Contains(part, error.Message);
        options.FrozenChains = 2;
        _mlContext.Tune(options).Dispose();
    }

    [TestMethod]
    public void ADisposedTransformerIsNotTuned()
    {
        var estimator = _mlContext.Transforms.ChainTuning(Tuning.Steps(_source, steps: 1));
        _source.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => estimator.Fit(_mlContext.Keyed()), "Its model is the caller's.");

        using var again = _mlContext.Scorer(_model);
        estimator = _mlContext.Transforms.ChainTuning(Tuning.Steps(again, steps: 1));
        _model.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => estimator.Fit(_mlContext.Keyed()));
    }

    [TestMethod]
    public void CancellingWhileItTrainsKeepsWhatWasLearntSoFar()
    {
        using var cancellation = new CancellationTokenSource();
        var options = Tuning.Steps(_source, steps: 1000);
        options.Decay = LearningRateDecay.None;
        (options.CancellationToken, options.ValidationSet) = (cancellation.Token, _mlContext.Keyed());
        options.Progress = new Recorder(progress =>
        {
            if (progress.Step == 3)
                cancellation.Cancel();
        });
        using var tuned = _mlContext.Tune(options);
        Assert.AreEqual((3, true), (tuned.Training!.Steps, tuned.Training.Cancelled));
        Assert.Contains("cancelled after 3 steps", Assert.ContainsSingle(_warnings));
        Assert.IsEmpty(tuned.Training.ValidationLosses);

        var three = Tuning.Steps(_source, steps: 3);
        three.Decay = LearningRateDecay.None;
        using var expected = _mlContext.Tune(three);
        Assert.IsEmpty(Tuning.Differences(TinyTraining.Values(expected.Model), tuned.Model));
        using var folder = new TemporaryFolder();
        _mlContext.Model.Save(tuned, _mlContext.Keyed().Schema, folder["model.zip"]);
    }

    [TestMethod]
    public void ALossThatIsNoNumberStopsItAndLeavesTheSourceAsItWas()
    {
        var options = Tuning.Steps(_source, steps: 50);
        (options.LearningRate, options.Decay) = (1e30, LearningRateDecay.None);
        Assert.ThrowsExactly<NonFiniteLossException>(() => _mlContext.Tune(options));
        Assert.IsTrue(_model.parameters().All(parameter => parameter.isfinite().all().ToBoolean()));
    }

    [TestMethod]
    [DataRow(TuningTask.Label, false)]
    [DataRow(TuningTask.Label, true)]
    [DataRow(TuningTask.LanguageHeads, false)]
    public void AModelInFloat16IsRefusedByNameBeforeAnyRowIsRead(TuningTask task, bool hasAdapters)
    {
        using var model = TextModels.Random(TextModels.Config(4, 4), dtype: ScalarType.Float16);
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source, steps: 1);
        (options.Task, options.Lora) = (task, hasAdapters ? new LoraOptions() : null);
        var error = Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Tune(options));
        foreach (var part in (string[])["Transformer", "Float16", "BFloat16", "Float32", "ElasticScoringEstimator.Options.DataType"])
            Assert.Contains(part, error.Message);
    }

    [TestMethod]
    public void NumbersHaveNoClassesToWeigh()
    {
        foreach (var change in (Action<ChainTuningEstimator.Options>[])[
            options => options.ClassWeights = [1, 2], options => options.LabelSmoothing = 0.1])
        {
            var options = Tuning.Steps(_source, steps: 1);
            options.LabelColumnName = "Degrees";
            change(options);
            var error = Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Tune(options, _mlContext.Labelled()));
            Assert.Contains("ClassWeights and LabelSmoothing", error.Message);
            Assert.Contains("'Degrees'", error.Message);
        }
    }

    [TestMethod]
    public void WhatIsRefusedLeavesNoTensorsBehind()
    {
        var options = Tuning.Steps(_source, steps: 1);
        options.ClassWeights = [1];
        void Refused() => Assert.Throws<ArgumentException>(() => _mlContext.Tune(options));
        Refused();
        var before = LiveTensors.CountSettled();
        Refused();
        var once = LiveTensors.CountSettled() - before;
        using var tuned = _mlContext.Tune(Tuning.Steps(_source, steps: 0));
        var parameters = tuned.Model.parameters().Count();
        // TorchSharp goes on counting the empty shell of a tensor that became a parameter.
        Assert.IsLessThanOrEqualTo(parameters, once);
    }
}
