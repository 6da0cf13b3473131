using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tokenizers;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class WrongTrainingInputTests
{
    private static readonly Dictionary<string, (Action<ChainExpansionEstimator.Options>, string[])> Wrong = new()
    {
        ["SequenceLength"] = (options => options.SequenceLength = 0, ["0"]),
        ["BatchSize"] = (options => options.BatchSize = 0, ["0"]),
        ["GradientAccumulationSteps"] = (options => options.GradientAccumulationSteps = -2, ["-2"]),
        ["Epochs"] = (options => options.Epochs = 0, ["0"]),
        ["MaxSteps"] = (options => options.MaxSteps = -1, ["-1"]),
        ["LearningRate"] = (options => options.LearningRate = 0, ["0"]),
        ["LearningRate, negative"] = (options => options.LearningRate = -0.5, ["-0.5"]),
        ["LearningRate, no number"] = (options => options.LearningRate = double.NaN, ["NaN"]),
        ["LearningRate, infinite"] = (options => options.LearningRate = double.PositiveInfinity, ["Infinity"]),
        ["LearningRate, beyond a Single"] = (options => options.LearningRate = 1e39, ["Single"]),
        ["LearningRate, below a Single"] = (options => options.LearningRate = 1e-50, ["Single"]),
        ["BatchSize, more tokens than can be counted"] = (options => options.BatchSize = 1 << 27, ["SequenceLength"]),
        ["SequenceLength, more tokens than can be counted"] = (options => options.SequenceLength = int.MaxValue, []),
        ["GradientAccumulationSteps, more tokens than can be counted"] =
            (options => options.GradientAccumulationSteps = int.MaxValue, []),
        ["WarmupSteps"] = (options => options.WarmupSteps = -1, ["-1"]),
        ["Decay"] = (options => options.Decay = (LearningRateDecay)7, ["7"]),
        ["WeightDecay"] = (options => options.WeightDecay = -0.25, ["-0.25"]),
        ["WeightDecay, no number"] = (options => options.WeightDecay = double.NaN, ["NaN"]),
        ["WeightDecay, infinite"] = (options => options.WeightDecay = double.PositiveInfinity, ["Infinity"]),
        ["Beta1"] = (options => options.Beta1 = 1, ["1"]),
        ["Beta1, negative"] = (options => options.Beta1 = -0.125, ["-0.125"]),
        ["Beta2"] = (options => options.Beta2 = 1.5, ["1.5"]),
        ["Beta2, no number"] = (options => options.Beta2 = double.NaN, ["NaN"]),
        ["MaxGradientNorm"] = (options => options.MaxGradientNorm = 0, ["0"]),
        ["MaxGradientNorm, no number"] = (options => options.MaxGradientNorm = double.NaN, ["NaN"]),
        ["Objective"] = (options => options.Objective = (TrainingObjective)9, ["9"]),
        ["ValidationInterval"] = (options => options.ValidationInterval = 0, ["0"]),
        ["CheckpointFolder"] = (options => options.CheckpointFolder = "", []),
        ["CheckpointFolder, NUL"] = (options => options.CheckpointFolder = "a\0b", ["NUL character"]),
        ["CheckpointInterval"] = (options => options.CheckpointInterval = 0, ["0"]),
        ["ResumeFrom"] = (options => options.ResumeFrom = "", []),
        ["ResumeFrom, NUL"] = (options => options.ResumeFrom = "a\0b", ["NUL character"]),
        ["ScaleWeights"] = (options => options.ScaleWeights = [1], ["Objective", "MultiChain"]),
        ["ScaleWeights, negative"] = (
            options => (options.Objective, options.ScaleWeights) = (TrainingObjective.MultiChain, [1, -2]), ["-2"]),
        ["ScaleWeights, no number"] = (
            options => (options.Objective, options.ScaleWeights) = (TrainingObjective.MultiChain, [double.NaN]),
            ["NaN"]),
        ["AddedChains"] = (options => options.AddedChains = [], ["Architecture"]),
        ["AddedChains, none"] = (options => options.AddedChains = null!, []),
        ["AddedChains with an architecture"] = (options =>
            (options.Model, options.Architecture) = (null, TextModels.Config(4)), ["Architecture"]),
        ["Initialization"] = (options => options.Initialization = (ChainInitialization)3, ["3"]),
        ["Initialization with an architecture"] = (options =>
            (options.Model, options.AddedChains, options.Architecture, options.Initialization) =
            (null, [], TextModels.Config(4), ChainInitialization.CopyFirstChain), ["Architecture"]),
        ["TokenizerFolder"] = (options => options.TokenizerFolder = "folder", ["folder", "Architecture"]),
        ["TextColumnName"] = (options => options.TextColumnName = "", []),
        ["TextColumnName, none"] = (options => options.TextColumnName = null!, []),
        ["DataType"] = (options => options.DataType = ScalarType.Int64, ["Int64"]),
        ["DataType, half"] = (options => options.DataType = ScalarType.Float16, ["Float16"]),
        ["Model, and a folder"] = (options => options.ModelFolder = "folder", ["ModelFolder", "Architecture"]),
        ["Model, nor anything else"] = (options => options.Model = null, ["ModelFolder", "Architecture"]),
    };

    private readonly MLContext _mlContext = new(seed: 1);

    public static IEnumerable<object[]> WrongOptions => Wrong.Keys.Select(name => new object[] { name });

    [TestMethod]
    [DynamicData(nameof(WrongOptions))]
    public void AWrongOptionIsRefusedByItsNameBeforeAnythingRuns(string name)
    {
        using var model = TextModels.Random(4);
        var options = Expansion.Grow(model, 3, 4);
        var (change, named) = Wrong[name];
        change(options);
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Transforms.ChainExpansion(options));
        foreach (var part in (string[])[name.Split(',', ' ')[0], .. named])
            Assert.Contains(part, error.Message);
    }

    [TestMethod]
    public void NoOptionsAreRefused()
    {
        Assert.Throws<ArgumentNullException>(() => _mlContext.Transforms.ChainExpansion(null!));
        Assert.Throws<ArgumentException>(() => _mlContext.Transforms.ChainExpansion("", [4]));
        Assert.Contains("addedChains", Assert.Throws<ArgumentException>(
            () => _mlContext.Transforms.ChainExpansion("folder", [])).Message, StringComparison.OrdinalIgnoreCase);
    }

    [TestMethod]
    public void AMissingTextColumnIsNamed()
    {
        var rows = _mlContext.Rows(Expansion.Corpus);
        var without = _mlContext.Transforms.DropColumns("Text").Fit(rows).Transform(rows);
        var estimator = _mlContext.Transforms.ChainExpansion(Expansion.FromNothing(1, 4));
        Assert.Contains("'Text'", Assert.Throws<ArgumentException>(() => estimator.Fit(without)).Message);
        Assert.Contains("'Text'", Assert.Throws<ArgumentException>(
            () => estimator.GetOutputSchema(Shapes.Of(without.Schema))).Message);

        var options = Expansion.FromNothing(1, 4);
        options.ValidationSet = without;
        Assert.Contains("'Text'", Assert.Throws<ArgumentException>(() => _mlContext.Fit(options)).Message);
    }

    [TestMethod]
    public void AColumnThatIsNotTextIsNamed()
    {
        var options = Expansion.FromNothing(1, 4);
        options.TextColumnName = "Number";
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Fit(options));
        Assert.Contains("'Number'", error.Message);
        Assert.Contains("Single", error.Message);
    }

    [TestMethod]
    public void NoDataIsRefused()
    {
        var estimator = _mlContext.Transforms.ChainExpansion(Expansion.FromNothing(1, 4));
        Assert.Throws<ArgumentNullException>(() => estimator.Fit(null!));
        Assert.Throws<ArgumentNullException>(() => estimator.GetOutputSchema(null!));
    }

    [TestMethod]
    public void DataWithoutTextIsRefusedByItsColumn()
    {
        var estimator = _mlContext.Transforms.ChainExpansion(Expansion.FromNothing(1, 4));
        foreach (var texts in (string?[][])[[], [""], [null, "", null]])
        {
            var error = Assert.Throws<ArgumentException>(() => estimator.Fit(_mlContext.Rows(texts)));
            Assert.Contains("'Text'", error.Message);
        }
    }

    [TestMethod]
    public void AValidationSetWithoutTextIsNamedAsSuch()
    {
        foreach (var texts in (string?[][])[[], [""], [null, "", null]])
        {
            var options = Expansion.FromNothing(1, 4);
            options.ValidationSet = _mlContext.Rows(texts);
            var error = Assert.Throws<ArgumentException>(() => _mlContext.Fit(options));
            Assert.Contains("'Text'", error.Message);
            Assert.Contains("validation", error.Message, StringComparison.OrdinalIgnoreCase);
        }
    }

    [TestMethod]
    public void ACorpusOfOneTokenIsRefused()
    {
        // The text spells the token that every document begins with, and that alone: there is no next token to learn.
        var error = Assert.Throws<ArgumentException>(
            () => _mlContext.Fit(Expansion.FromNothing(1, 4), "<|begin_of_text|>"));
        Assert.Contains("'Text'", error.Message);
    }

    [TestMethod]
    public void AValidationSetOfOneTokenARowIsRefused()
    {
        var options = Expansion.FromNothing(1, 4);
        options.ValidationSet = _mlContext.Rows("<|begin_of_text|>", "", "<|begin_of_text|>");
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Fit(options));
        Assert.Contains("'Text'", error.Message);
        Assert.Contains("validation", error.Message);
        options.ValidationSet = _mlContext.Rows("<|begin_of_text|>", "a");
        _mlContext.Fit(options).Dispose();
    }

    [TestMethod]
    public void MoreStepsOfEpochsThanCanBeCountedAreRefused()
    {
        var options = Expansion.FromNothing(1, 4);
        (options.MaxSteps, options.Epochs) = (null, int.MaxValue);
        Assert.Contains("Epochs", Assert.Throws<ArgumentException>(() => _mlContext.Fit(options)).Message);
    }

    [TestMethod]
    public void OptionsThatChangeLaterChangeNothing()
    {
        using var model = TextModels.Random(4);
        var options = Expansion.Grow(model, 1, 4);
        (options.Objective, options.ScaleWeights) = (TrainingObjective.MultiChain, [1, 1]);
        var weights = new double[] { 1, 1 };
        options.ScaleWeights = weights;
        var estimator = _mlContext.Transforms.ChainExpansion(options);
        (options.BatchSize, options.Model, options.TextColumnName) = (0, null, "Nothing");
        (options.AddedChains[0], weights[1]) = (3, 0);
        using var fitted = estimator.Fit(_mlContext.Rows(Expansion.Corpus));
        Assert.AreEqual(new ChainLayout(4, 4), fitted.Model.Config.Layout);
    }

    [TestMethod]
    public void ASequenceThatIsLongerThanTheContextIsRefusedByBothLengths()
    {
        var options = Expansion.FromNothing(1, 4);
        options.SequenceLength = TextModels.ContextLength + 1;
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Fit(options));
        Assert.Contains("SequenceLength", error.Message);
        Assert.Contains($"{TextModels.ContextLength}", error.Message);
        Assert.Contains($"{TextModels.ContextLength + 1}", error.Message);
        options.SequenceLength = TextModels.ContextLength;
        _mlContext.Fit(options).Dispose();
    }

    [TestMethod]
    [DataRow(new double[] { 1 })]
    [DataRow(new double[] { 1, 1, 1 })]
    [DataRow(new double[0])]
    public void ScaleWeightsForAnotherNumberOfChainsAreRefused(double[] weights)
    {
        var options = Expansion.FromNothing(1, 4, 4);
        (options.Objective, options.ScaleWeights) = (TrainingObjective.MultiChain, weights);
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Fit(options));
        Assert.Contains("ScaleWeights", error.Message);
        Assert.Contains("2 chains", error.Message);
        Assert.Contains($"found {weights.Length}", error.Message);
    }

    [TestMethod]
    public void ScaleWeightsThatTrainNothingAreRefused()
    {
        using var model = TextModels.Random(4);
        var options = Expansion.Grow(model, 1, 4);
        (options.Objective, options.ScaleWeights) = (TrainingObjective.MultiChain, [1, 0]);
        Assert.Contains("ScaleWeights", Assert.Throws<ArgumentException>(() => _mlContext.Fit(options)).Message);
    }

    [TestMethod]
    public void AModelWithoutATokenizerIsRefused()
    {
        using var model = TestModels.Random(TextModels.Config(4));
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => _mlContext.Fit(Expansion.Grow(model, 1, 4)));
        Assert.Contains("tokenizer.json", error.Message);
    }

    [TestMethod]
    public void AFolderThatIsMissingOrNoModelIsNamed()
    {
        using var folder = new TemporaryFolder();
        var options = Expansion.Steps(1);
        (options.ModelFolder, options.AddedChains) = (folder["nowhere"], [4]);
        Assert.Contains(folder["nowhere"],
            Assert.ThrowsExactly<DirectoryNotFoundException>(() => _mlContext.Fit(options)).Message);
        options.ModelFolder = folder.Path;
        Assert.Contains(
            "config.json", Assert.ThrowsExactly<FileNotFoundException>(() => _mlContext.Fit(options)).Message);

        options = Expansion.FromNothing(1, 4);
        options.TokenizerFolder = folder["nowhere"];
        Assert.Contains(folder["nowhere"],
            Assert.ThrowsExactly<DirectoryNotFoundException>(() => _mlContext.Fit(options)).Message);
        options.TokenizerFolder = folder.Path;
        Assert.Contains(
            "tokenizer.json", Assert.ThrowsExactly<FileNotFoundException>(() => _mlContext.Fit(options)).Message);
    }

    [TestMethod]
    [DataRow(new[] { 3 }, true, "3")]
    [DataRow(new[] { 3 }, false, "chain 2")]
    [DataRow(new[] { 4, 0 }, true, "chain 3")]
    [DataRow(new[] { -4 }, true, "-4")]
    public void ChainsThatDoNotFitTheModelAreRefusedByTheNumber(int[] addedChains, bool kvSharing, string named)
    {
        using var model = TextModels.Random(TextModels.Config(4) with { KeyValueHeadCount = 2 });
        var options = Expansion.Grow(model, 1, addedChains);
        options.KvSharing = kvSharing;
        Assert.Contains(named, Assert.Throws<ArgumentException>(() => _mlContext.Fit(options)).Message);
    }

    [TestMethod]
    public void AnotherKvSharingThanTheModelsIsRefused()
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true });
        var options = Expansion.Grow(model, 1, 4);
        options.KvSharing = false;
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Fit(options));
        Assert.Contains("kvSharing", error.Message, StringComparison.OrdinalIgnoreCase);
        Assert.Contains("{4,4}", error.Message);
    }

    [TestMethod]
    public void AVocabularyThatIsTooSmallForBytesIsRefused()
    {
        var options = Expansion.FromNothing(1, 4);
        options.Architecture = options.Architecture! with { VocabularySize = 257 };
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Fit(options));
        Assert.Contains("VocabularySize", error.Message);
        Assert.Contains("258", error.Message);
        Assert.Contains("257", error.Message);
    }

    [TestMethod]
    public void AVocabularyThatIsTooSmallForTheTokenizerIsRefusedByTheToken()
    {
        using var folder = new TemporaryFolder();
        foreach (var (name, content) in ByteTokenizer.CreateFiles().Files)
            File.WriteAllBytes(folder[name], content);
        var options = Expansion.FromNothing(1, 4);
        options.Architecture = options.Architecture! with { VocabularySize = 257, EosTokenIds = [] };
        options.TokenizerFolder = folder.Path;
        _mlContext.Fit(options, "ABC ABC").Dispose();
        foreach (var text in (string[])["AB<|end_of_text|>A", "AB<|end_of_text|>"])
        {
            var error = Assert.Throws<ArgumentException>(() => _mlContext.Fit(options, text));
            Assert.Contains("token id 257", error.Message);
            Assert.Contains("vocabulary of 257", error.Message);
            Assert.Contains("tokenizer", error.Message);
            Assert.Contains("'Text'", error.Message);
        }
    }

    [TestMethod]
    [DataRow("HiddenSize")]
    [DataRow("LayerCount")]
    public void AnArchitectureThatCannotBeBuiltIsRefusedByWhatIsWrong(string name)
    {
        var options = Expansion.FromNothing(1, 4);
        options.Architecture = name == "HiddenSize"
            ? options.Architecture! with { HiddenSize = 15 } : options.Architecture! with { LayerCount = 0 };
        Assert.Contains(name, Assert.Throws<ArgumentException>(() => _mlContext.Fit(options)).Message);
    }

    [TestMethod]
    public void ADisposedModelIsNotGrown()
    {
        var model = TextModels.Random(4);
        var estimator = _mlContext.Transforms.ChainExpansion(Expansion.Grow(model, 1, 4));
        model.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => estimator.Fit(_mlContext.Rows(Expansion.Corpus)));
    }

    [TestMethod]
    public void WhatIsRefusedLeavesNoFileBehind()
    {
        string[] Spools() => Directory.GetFiles(Path.GetTempPath(), "colm-tokens-*");
        var before = Spools();
        var options = Expansion.FromNothing(1, 4);
        options.SequenceLength = 1000;
        Assert.Throws<ArgumentException>(() => _mlContext.Fit(options));
        Assert.Throws<ArgumentException>(() => _mlContext.Fit(Expansion.FromNothing(1, 4), "", null));
        CollectionAssert.AreEqual(before, Spools());
    }
}
