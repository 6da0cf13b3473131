using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>What Chain Tuning changes, and what it leaves as it was.</summary>
[TestClass, DoNotParallelize]
public sealed class ChainTuningTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(true, 1)]
    [DataRow(true, 2)]
    [DataRow(false, 1)]
    [DataRow(false, 2)]
    public void FrozenChainsAndTheSourceStayAsTheyWereToTheBit(bool kvSharing, int frozenChains)
    {
        using var model = TextModels.Random(TextModels.Config(4, 2, 4) with { KvSharing = kvSharing });
        var before = TinyTraining.Values(model);
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source);
        options.FrozenChains = frozenChains;
        using var tuned = _mlContext.Tune(options);

        var changed = Tuning.Differences(before, tuned.Model);
        Assert.IsTrue(Array.TrueForAll(changed, name => ParameterName.Parse(name).Chain >= frozenChains));
        for (var chain = frozenChains; chain < 3; chain++)
        {
            Assert.Contains($"layers.0.self_attn.q_proj.chain_{chain + 1}", changed);
            Assert.Contains($"embed_tokens.chain_{chain + 1}", changed);
        }
        Assert.IsFalse(Array.Exists(changed, name => name.StartsWith("lm_head", StringComparison.Ordinal)));
        Assert.IsEmpty(Tuning.Differences(before, model));
        for (var chainCount = 1; chainCount <= frozenChains; chainCount++)
        {
            using var original = source.WithChainCount(chainCount);
            using var scorer = _mlContext.Scorer(tuned.Model, chainCount);
            CollectionAssert.AreEqual(
                original.Score(_mlContext, TextModels.Texts), scorer.Score(_mlContext, TextModels.Texts));
        }
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    [DataRow(2)]
    public void FrozenChainsAreSharedWithTheSourceAndOthersAreNot(int frozenChains)
    {
        using var model = TextModels.Random(4, 2, 4);
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source, steps: 1);
        options.FrozenChains = frozenChains;
        using var tuned = _mlContext.Tune(options);
        var parameters = model.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        foreach (var (name, parameter) in tuned.Model.ChainParameters())
        {
            Assert.AreEqual(ParameterName.Parse(name).Chain < frozenChains,
                Tuning.ShareMemory(parameters[name], parameter), name);
        }
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void EitherModelMayBeDisposedFirst(bool sourceFirst)
    {
        var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var expected = source.Score(_mlContext, TextModels.Texts);
        using var tuned = _mlContext.Tune(Tuning.Steps(source));
        var predicted = _mlContext.Predict(tuned).Scores();
        if (sourceFirst)
        {
            model.Dispose();
            CollectionAssert.AreEqual(predicted, _mlContext.Predict(tuned).Scores());
        }
        else
        {
            tuned.Dispose();
            CollectionAssert.AreEqual(expected, source.Score(_mlContext, TextModels.Texts));
            model.Dispose();
        }
    }

    [TestMethod]
    public void WithoutFrozenChainsAllOfTheModelIsTuned()
    {
        using var model = TextModels.Random(4);
        var before = TinyTraining.Values(model);
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source);
        options.FrozenChains = 0;
        using var tuned = _mlContext.Tune(options);
        Assert.AreEqual(new ChainLayout(4), tuned.Model.Config.Layout);
        var changed = Tuning.Differences(before, tuned.Model);
        CollectionAssert.AreEquivalent(
            before.Keys.Where(name => !name.StartsWith("lm_head", StringComparison.Ordinal)).ToArray(), changed);
        Assert.AreEqual(
            model.ParameterCount(1) - 258 * 16 + 3 * 16, tuned.Training!.TrainedParameterCount, "All but the language head.");
        Assert.IsEmpty(Tuning.Differences(before, model));
    }

    [TestMethod]
    [DataRow("4", null, null, "4,2", true)]
    [DataRow("4", null, null, "4,2", false)]
    [DataRow("4", new[] { 4, 2 }, 1, "4,4,2", true)]
    [DataRow("4,4", null, null, "4,4", false)]
    [DataRow("4,4", new[] { 2 }, null, "4,4,2", false)]
    [DataRow("4", null, 0, "4", false)]
    public void ChainsAreAddedWhereAskedForOrWhereThereIsNoneToTune(
        string chains, int[]? added, int? frozenChains, string expected, bool kvSharing)
    {
        using var model = TextModels.Random([.. ChainLayout.Parse(chains).Heads]);
        var before = TinyTraining.Values(model);
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source, steps: 2);
        (options.AddedChains, options.FrozenChains, options.KvSharing) = (added, frozenChains, kvSharing);
        using var tuned = _mlContext.Tune(options);
        var config = tuned.Model.Config;
        Assert.AreEqual(ChainLayout.Parse(expected), config.Layout);
        Assert.AreEqual(config.ChainCount > 1 && kvSharing, config.KvSharing);
        var own = TinyTraining.Values(tuned.Model);
        if (frozenChains != 0)
            CollectionAssert.AreEqual(before["layers.1.mlp.up_proj.chain_1"], own["layers.1.mlp.up_proj.chain_1"]);
        Assert.AreEqual(config.ChainCount, tuned.ChainCount);
    }

    [TestMethod]
    public void AChainThatIsAddedAsACopyIsAsWideAsTheFirst()
    {
        using var model = TextModels.Random(4);
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source, steps: 0);
        options.Initialization = ChainInitialization.CopyFirstChain;
        using var tuned = _mlContext.Tune(options);
        using var expected = model.Expand([4], options.KvSharing, initialization: options.Initialization);
        ModelAssert.SameWeights(expected, tuned.Model);
    }

    [TestMethod]
    public void OneSeedGivesTheSameWeightsToTheBitAndAnotherOthers()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        ElasticScoringTransformer Fit(int seed)
        {
            var options = Tuning.Steps(source);
            options.Seed = seed;
            return _mlContext.Tune(options);
        }
        using var first = Fit(7);
        using var again = Fit(7);
        using var other = Fit(8);
        Assert.IsEmpty(Tuning.Differences(TinyTraining.Values(first.Model), again.Model));
        CollectionAssert.AreEqual(_mlContext.Predict(first).Scores(), _mlContext.Predict(again).Scores());
        Assert.IsNotEmpty(Tuning.Differences(TinyTraining.Values(first.Model), other.Model));
    }

    [TestMethod]
    public void TextsThatAnyHeadTellsApartAreLearntAtEveryScale()
    {
        using var model = TextModels.Random(4, 2, 4);
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source, steps: 50);
        options.FrozenChains = 1;
        using var tuned = _mlContext.Tune(options, _mlContext.Keyed(Tuning.Easy));
        for (var chainCount = 1; chainCount <= 3; chainCount++)
        {
            using var scale = tuned.WithChainCount(chainCount);
            Assert.AreEqual(
                1, _mlContext.Evaluate(scale, _mlContext.Keyed(Tuning.Easy)).MicroAccuracy, $"{chainCount} chains");
        }
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void WithTheLastScaleAsObjectiveTheOthersAreNotTrained(bool multiChain)
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var recorder = new Recorder();
        var options = Tuning.Steps(source, steps: 1);
        (options.BatchSize, options.Progress) = (12, recorder);
        options.Objective = multiChain ? TrainingObjective.MultiChain : TrainingObjective.LastScale;
        using var tuned = _mlContext.Tune(options);
        options.MaxSteps = 0;
        using var start = _mlContext.Tune(options);
        using var one = start.WithChainCount(1);
        var expected = _mlContext.Evaluate(start).LogLoss + (multiChain ? _mlContext.Evaluate(one).LogLoss : 0);
        Assert.AreEqual(expected, recorder.Reports[0].Loss, 1e-4);
    }

    [TestMethod]
    [DataRow(0, 1)]
    [DataRow(1, 1)]
    [DataRow(2, 2)]
    public void TheObjectiveIsTheScalesFromTheFrozenPrefixUpward(int frozenChains, int firstScale)
    {
        using var model = TextModels.Random(4, 2, 4);
        using var source = _mlContext.Scorer(model);
        var recorder = new Recorder();
        var options = Tuning.Steps(source, steps: 1);
        (options.FrozenChains, options.BatchSize, options.Progress) = (frozenChains, 12, recorder);
        _mlContext.Tune(options).Dispose();
        options.MaxSteps = 0;
        using var start = _mlContext.Tune(options);
        double expected = 0;
        for (var chainCount = firstScale; chainCount <= 3; chainCount++)
        {
            using var scale = start.WithChainCount(chainCount);
            expected += _mlContext.Evaluate(scale).LogLoss;
        }
        Assert.AreEqual(expected, recorder.Reports[0].Loss, 1e-4);
    }

    [TestMethod]
    public void AScalesOutputsDependOnItsOwnChainsAndColumnsAlone()
    {
        using var model = TextModels.Random(TextModels.Config(4, 2, 4) with { KvSharing = true });
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source);
        options.FrozenChains = 1;
        using var tuned = _mlContext.Tune(options);
        int[][] sequences = [[256, 1, 2, 3], [256, 97, 98], [256]];
        float[][][] Outputs() =>
            SequencePredictor.Outputs(tuned.Model, tuned.Head(), sequences, new ChainRange(0, 3));
        for (var chain = 1; chain < 3; chain++)
        {
            foreach (var ofTheHead in new[] { true, false })
            {
                var before = Outputs();
                using (no_grad())
                {
                    IEnumerable<Tensor> changed = ofTheHead ? [tuned.Head().Weight(chain)] : tuned.Model.ChainParameters()
                        .Where(entry => ParameterName.Parse(entry.name).Chain == chain).Select(entry => entry.parameter);
                    foreach (var parameter in changed)
                        parameter.mul_(1.5);
                }
                var after = Outputs();
                for (var i = 0; i < sequences.Length; i++)
                {
                    for (var scale = 0; scale < 3; scale++)
                    {
                        Assert.AreEqual(scale < chain, before[i][scale].SequenceEqual(after[i][scale]),
                            $"chain {chain + 1}, scale {scale + 1}");
                    }
                }
            }
        }
    }

    [TestMethod]
    public void OutputsAreTheHeadsFirstColumnsTimesTheLastTokensFeatures()
    {
        using var model = TextModels.Random(4, 2);
        using var source = _mlContext.Scorer(model);
        using var tuned = _mlContext.Tune(Tuning.Steps(source));
        int[][] sequences = [[256, 5, 6, 7, 8], [256, 9]];
        var outputs = SequencePredictor.Outputs(tuned.Model, tuned.Head(), sequences, new ChainRange(0, 2));
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        var whole = cat([tuned.Head().Weight(0), tuned.Head().Weight(1)], dim: 1);
        for (var i = 0; i < sequences.Length; i++)
        {
            var ids = tensor(sequences[i].Select(id => (long)id).ToArray()).unsqueeze(0);
            for (var scale = 1; scale <= 2; scale++)
            {
                var features = tuned.Model.Features(ids, new ChainRange(0, scale))[^1];
                var expected = whole.narrow(1, 0, features.size(0)).mv(features);
                TensorAssert.Near(expected, tensor(outputs[i][scale - 1]), 1e-4);
            }
        }
    }

    [TestMethod]
    [DataRow(2, 6, null)]
    [DataRow(3, 5, null)]
    [DataRow(3, 5, 0)]
    [DataRow(12, 1, 1)]
    public void AccumulatedPassesAreAllOfTheirExamples(int passes, int batch, int? frozenChains)
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var expected = Losses(passes: 1, Tuning.Data.Length);
        var losses = Losses(passes, batch);
        for (var step = 0; step < expected.Length; step++)
            Assert.AreEqual(expected[step], losses[step], 1e-4 * expected[step], $"step {step}");

        // Of steps that are an epoch each; classes that count differently make passes of unlike weight.
        double[] Losses(int passes, int batch)
        {
            var options = Tuning.Steps(source, steps: 3);
            (options.BatchSize, options.GradientAccumulationSteps) = (batch, passes);
            (options.FrozenChains, options.ClassWeights, options.LearningRate) = (frozenChains, [0.2, 5, 1], 1e-3);
            var recorder = new Recorder();
            options.Progress = recorder;
            _mlContext.Tune(options).Dispose();
            return [.. recorder.Reports.Select(report => report.Loss)];
        }
    }

    [TestMethod]
    public void TuningLeavesNoTensorsBehind()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        long Left(int steps)
        {
            var before = LiveTensors.CountSettled();
            _mlContext.Tune(Tuning.Steps(source, steps)).Dispose();
            return LiveTensors.CountSettled() - before;
        }
        _ = Left(2);
        Assert.AreEqual(Left(2), Left(20));
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void TuningTakesGradientsWhereTheyAreSwitchedOffAroundIt(bool isInference)
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        using var expected = _mlContext.Tune(Tuning.Steps(source));
        using IDisposable without = isInference ? inference_mode() : no_grad();
        using var tuned = _mlContext.Tune(Tuning.Steps(source));
        Assert.IsEmpty(Tuning.Differences(TinyTraining.Values(expected.Model), tuned.Model));
    }
}
