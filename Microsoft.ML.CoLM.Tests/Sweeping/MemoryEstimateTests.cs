using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Sweeping;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Training;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>What fitting will take, against the models that it makes.</summary>
[TestClass, DoNotParallelize]
public sealed class MemoryEstimateTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(false, false)]
    [DataRow(true, false)]
    [DataRow(false, true)]
    [DataRow(true, true)]
    public void ParametersAreTheModels(bool kvSharing, bool isTied)
    {
        var config = TextModels.Config(4, 8, 4) with { KvSharing = kvSharing, TieWordEmbeddings = isTied, LayerCount = 3 };
        using var model = TextModels.Random(config);
        for (var chainCount = 1; chainCount <= 3; chainCount++)
            Assert.AreEqual(model.ParameterCount(chainCount), FitMemory.Parameters(config, end: chainCount));
        Assert.AreEqual(model.ParameterCount(3) - model.ParameterCount(1), FitMemory.Parameters(config, firstChain: 1));
        var heads = model.ChainParameters().Where(entry => ParameterName.Parse(entry.name).Module == ParameterName.Head);
        Assert.AreEqual(heads.Sum(head => head.parameter.numel()), FitMemory.HeadParameters(config, firstChain: 0));
    }

    [TestMethod]
    [DataRow(LoraProjections.All, true)]
    [DataRow(LoraProjections.All, false)]
    [DataRow(LoraProjections.Query | LoraProjections.Down, true)]
    public void AdaptersAreTheModels(LoraProjections projections, bool kvSharing)
    {
        var config = TextModels.Config(4, 8, 4) with { KvSharing = kvSharing, LayerCount = 3 };
        var lora = new LoraOptions { Rank = 3, Projections = projections };
        using var model = TextModels.Random(config);
        for (var firstChain = 0; firstChain < 3; firstChain++)
        {
            using var adapters = new LowRankAdapters(model, firstChain, lora);
            Assert.AreEqual(adapters.parameters().Sum(parameter => parameter.numel()),
                FitMemory.AdapterParameters(config, firstChain, lora));
        }
    }

    [TestMethod]
    [DataRow(ScalarType.Float32, 1, 12)]
    [DataRow(ScalarType.Float32, 4, 12)]
    [DataRow(ScalarType.BFloat16, 1, 14)]
    [DataRow(ScalarType.BFloat16, 2, 18)]
    public void ATrainedParameterTakesWhatTheOptionsSay(ScalarType type, int passes, int bytes)
    {
        var options = Expansion.Steps(1);
        options.GradientAccumulationSteps = passes;
        Assert.AreEqual(1000L * bytes, FitMemory.OfTraining(1000, type, options, isValidated: true));
        options.RestoreBest = true;
        Assert.AreEqual(1000L * bytes, FitMemory.OfTraining(1000, type, options, isValidated: false));
        Assert.AreEqual(1000L * (bytes + (type == ScalarType.Float32 ? 4 : 2)),
            FitMemory.OfTraining(1000, type, options, isValidated: true));
    }

    [TestMethod]
    [DataRow(ScalarType.Float32, 4, 12)]
    [DataRow(ScalarType.BFloat16, 2, 14)]
    public void AnExpansionTakesTheGrownModelAndWhatTrainsIt(ScalarType type, int size, int ofTrained)
    {
        using var model = TextModels.Random(4, 4);
        var options = Expansion.Grow(model, steps: 1, 8, 4);
        (options.KvSharing, options.DataType) = (false, type);
        using var grown = _mlContext.Fit(options);
        Assert.AreEqual(
            Parameters(grown) * size + grown.Training!.TrainedParameterCount * ofTrained,
            MemoryEstimate.Of(_mlContext.Transforms.ChainExpansion(options)));
    }

    [TestMethod]
    public void AModelFromNothingIsTrainedWhole()
    {
        var options = Expansion.FromNothing(1, 4, 4);
        (options.RestoreBest, options.ValidationSet) = (true, _mlContext.Rows("the cat sat"));
        using var fitted = _mlContext.Fit(options);
        Assert.AreEqual(Parameters(fitted), fitted.Training!.TrainedParameterCount);
        Assert.AreEqual(Parameters(fitted) * (4 + 12 + 4), MemoryEstimate.Of(_mlContext.Transforms.ChainExpansion(options)));
    }

    [TestMethod]
    public void AFolderIsReadForItsConfigurationAlone()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(TextModels.Config(4, 4), dtype: ScalarType.BFloat16);
        model.Save(folder["model"]);
        foreach (var weights in Directory.EnumerateFiles(folder["model"], "*.safetensors"))
            File.Delete(weights);
        var parameters = model.ParameterCount(2);
        Assert.AreEqual(parameters * 2, MemoryEstimate.Of(_mlContext.Transforms.ElasticScoring(folder["model"])));
        Assert.AreEqual(parameters * 4, MemoryEstimate.Of(_mlContext.Transforms.ElasticScoring(
            new ElasticScoringEstimator.Options { ModelFolder = folder["model"], DataType = ScalarType.Float32 })));

        // Little is trained: the most is taken while the loaded and the grown model are both there.
        var options = Expansion.Steps(1);
        (options.ModelFolder, options.AddedChains, options.KvSharing) = (folder["model"], [1], false);
        var config = model.Config with { Layout = new(4, 4, 2), KvSharing = false };
        options.AddedChains = [2];
        var (grown, added) = (FitMemory.Parameters(config), FitMemory.Parameters(config, firstChain: 2));
        Assert.AreEqual(4 * grown + Math.Max(4 * parameters, 12 * added),
            MemoryEstimate.Of(_mlContext.Transforms.ChainExpansion(options)));
    }

    [TestMethod]
    public void ATuningCopiesTunedChainsAndSharesTheOthers()
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true });
        using var source = _mlContext.Scorer(model);
        var options = Options(source, "IsWarm");
        using var tuned = _mlContext.Tune(options, _mlContext.Labelled());
        var head = tuned.Head().parameters().Sum(parameter => parameter.numel());
        Assert.AreEqual(4 * (FitMemory.Parameters(model.Config, 1) + head) + 12 * tuned.Training!.TrainedParameterCount,
            Estimate(options));

        options.FrozenChains = 0;
        using var whole = _mlContext.Tune(options, _mlContext.Labelled());
        Assert.AreEqual(4 * (Parameters(model) + head) + 12 * whole.Training!.TrainedParameterCount, Estimate(options));
    }

    [TestMethod]
    public void ATuningThatGrowsAModelHasAllOfItsOwn()
    {
        using var model = TextModels.Random(4);
        using var source = _mlContext.Scorer(model);
        var options = Options(source, "IsWarm");
        options.AddedChains = [2, 2];
        options.ValidationSet = _mlContext.Labelled();
        options.RestoreBest = true;
        using var tuned = _mlContext.Tune(options, _mlContext.Labelled());
        var head = tuned.Head().parameters().Sum(parameter => parameter.numel());
        Assert.AreEqual(3, tuned.ChainCount);
        Assert.AreEqual(4 * (tuned.Model.ParameterCount(3) + head) + 16 * tuned.Training!.TrainedParameterCount, Estimate(options));
    }

    [TestMethod]
    [DataRow(ScalarType.Float32)]
    [DataRow(ScalarType.BFloat16)]
    public void AdaptersAreTrainedInFloat32AndNothingIsCopied(ScalarType type)
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = true }, dtype: type);
        using var source = _mlContext.Scorer(model);
        var options = Options(source, "IsWarm");
        options.Lora = new LoraOptions { Rank = 2 };
        using var tuned = _mlContext.Tune(options, _mlContext.Labelled());
        Assert.AreEqual(16 * tuned.Training!.TrainedParameterCount, Estimate(options));

        options.Lora.MergeIntoWeights = true;
        var head = tuned.Head().parameters().Sum(parameter => parameter.numel());
        var size = type == ScalarType.Float32 ? 4 : 2;
        Assert.AreEqual(4 * tuned.Training.TrainedParameterCount +
            Math.Max(12 * tuned.Training.TrainedParameterCount, size * FitMemory.Parameters(model.Config, 1)), Estimate(options));
        Assert.IsGreaterThan(0, head);
    }

    [TestMethod]
    public void LanguageHeadsAreCopiedAndTrained()
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { TieWordEmbeddings = true });
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source, 1);
        options.Task = TuningTask.LanguageHeads;
        using var tuned = _mlContext.Tune(options, _mlContext.Rows(Expansion.Corpus));
        Assert.AreEqual(16 * tuned.Training!.TrainedParameterCount, Estimate(options));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void KeptFeaturesCountForTheTokensThatThereAre(bool kvSharing)
    {
        using var model = TextModels.Random(TextModels.Config(4, 4) with { KvSharing = kvSharing });
        using var source = _mlContext.Scorer(model);
        var rows = _mlContext.Labelled();
        var options = Options(source, "IsWarm");
        (options.ReuseFrozenFeatures, options.FrozenFeatureMemoryBytes, options.MaxSteps) = (true, 1 << 30, 100);
        var without = Estimate(options) - options.FrozenFeatureMemoryBytes;
        // A token for each byte, and the one that begins the text.
        var tokens = Tuning.Data.Sum(row => Math.Min(options.SequenceLength, 1 + row.Text!.Length));
        var numbers = FrozenSite.Of(model.Config, 1, ofLast: kvSharing)
            .Sum(site => site.Groups * site.Width * (site.IsOfLast ? Tuning.Data.Length : tokens));
        Assert.AreEqual(4 * numbers, MemoryEstimate.Of(_mlContext.Transforms.ChainTuning(options), rows) - without);

        options.FrozenFeatureMemoryBytes = 1000;
        Assert.AreEqual(1000, MemoryEstimate.Of(_mlContext.Transforms.ChainTuning(options), rows) - without);
        options.MaxSteps = 2; // 12 rows in batches of 6: none is read twice
        Assert.AreEqual(0, MemoryEstimate.Of(_mlContext.Transforms.ChainTuning(options), rows) - without);
    }

    [TestMethod]
    public void EstimatorsAreFoundInChainsAndChainsInThem()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var options = Options(source, "Label");
        var tuning = _mlContext.Transforms.ChainTuning(options);
        var mapping = _mlContext.Transforms.Conversion.MapValueToKey("Label", "Class");
        var inner = tuning.Append(_mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel"));
        Assert.AreEqual(Estimate(options), MemoryEstimate.Of(mapping.AppendCacheCheckpoint(_mlContext).Append(inner)));
        var both = mapping.Append(inner).Append(_mlContext.Transforms.ChainTuning(options));
        Assert.AreEqual(2 * Estimate(options), MemoryEstimate.Of(both));
        Assert.IsNull(MemoryEstimate.Of(mapping));
        Assert.AreEqual(0, MemoryEstimate.Of(_mlContext.Transforms.ElasticScoring(
            new ElasticScoringEstimator.Options { Model = model })));
    }

    [TestMethod]
    public void WhatFittingWillRefuseHasNoEstimate()
    {
        Assert.IsNull(MemoryEstimate.Of(_mlContext.Transforms.ElasticScoring("no-such-folder")));
        using var model = TextModels.Random(4);
        using var folder = new Checkpoints.TemporaryFolder();
        var growing = _mlContext.Transforms.ChainExpansion(folder["later"], [3]);
        model.Save(folder["later"]);
        Assert.IsNull(MemoryEstimate.Of(growing));
        var source = _mlContext.Scorer(model);
        var tuning = _mlContext.Transforms.ChainTuning(Tuning.Steps(source));
        source.Dispose();
        model.Dispose();
        Assert.IsNull(MemoryEstimate.Of(tuning));
    }

    [TestMethod]
    public void AnArchitectureThatNoMachineHoldsIsCountedAtOnce()
    {
        var options = Expansion.FromNothing(1, 4);
        options.Architecture = options.Architecture! with { LayerCount = int.MaxValue, HiddenSize = 1 << 30, IntermediateSize = 1 << 30, HeadDimension = 4 };
        Assert.AreEqual(long.MaxValue, MemoryEstimate.Of(_mlContext.Transforms.ChainExpansion(options)));
    }

    private static ChainTuningEstimator.Options Options(ElasticScoringTransformer source, string label)
    {
        var options = Tuning.Steps(source, 1);
        (options.LabelColumnName, options.ReuseFrozenFeatures) = (label, false);
        return options;
    }

    private long? Estimate(ChainTuningEstimator.Options options) => MemoryEstimate.Of(_mlContext.Transforms.ChainTuning(options));

    private static long Parameters(ElasticScoringTransformer fitted) => Parameters(fitted.Model);

    private static long Parameters(CoLMModel model) => model.ParameterCount(model.Config.ChainCount);
}
