using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Estimators;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>Adapters and a task's head are parts of the model that they belong to.</summary>
[TestClass, DoNotParallelize]
public sealed class SubmoduleTests
{
    private static readonly LoraOptions Lora = new() { Rank = 2, Dropout = 0.5 };

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void TheyStandBehindTheChainsInTheState()
    {
        using var model = TestModels.Random(TestModels.Config(4, 2));
        var chains = model.state_dict().Keys.ToArray();
        model.Adapters = LowRankAdaptersTests.Random(model, 1, Lora);
        model.Task = new TunedTask("{}", new ChainHead(model.Config, 3, CPU, FeaturePooling.LastToken));
        var all = model.state_dict();
        CollectionAssert.AreEqual(chains, all.Keys.Take(chains.Length).ToArray());
        var added = all.Keys.Skip(chains.Length).ToArray();
        Assert.HasCount(model.Adapters.parameters().Count() + 2, added);
        Assert.AreEqual("adapters.layers_0_Query.lora_A.chain_2", added[0]);
        Assert.AreEqual("task_head.chain_2", added[^1]);
        CollectionAssert.AreEqual(chains, model.ChainParameters().Select(entry => entry.name).ToArray());
        CollectionAssert.AreEquivalent(all.Keys, model.named_parameters().Select(entry => entry.name).ToArray());
    }

    [TestMethod]
    public void TheStateOfATunedModelIsTakenOverByItsLike()
    {
        using var tuned = Tuned(withAdapters: true);
        using var other = Tuned(withAdapters: true, seed: 9);
        CollectionAssert.AreNotEqual(Scores(tuned), Scores(other));
        other.Model.load_state_dict(tuned.Model.state_dict());
        CollectionAssert.AreEqual(Scores(tuned), Scores(other));
    }

    [TestMethod]
    public void TrainAndEvalReachThem()
    {
        using var model = TestModels.Random(TestModels.Config(4, 2));
        model.Adapters = LowRankAdaptersTests.Random(model, 1, Lora);
        var adapter = model.Adapters.Find(0, Projection.Query)!;
        Assert.IsFalse(adapter.training, "They drop nothing unless they are told to.");
        model.train();
        Assert.IsTrue(adapter.training);
        model.eval();
        Assert.IsFalse(adapter.training);
    }

    [TestMethod]
    public void OfAModelInAnotherTypeTheyStayInFloat32()
    {
        using var tuned = Tuned(withAdapters: true);
        var before = Bits(tuned.Model);
        tuned.Model.to(ScalarType.BFloat16);
        Assert.AreEqual(ScalarType.BFloat16, tuned.Model.DataType);
        tuned.Model.to(ScalarType.Float32).to(CPU, ScalarType.BFloat16);
        Assert.IsTrue(Parts(tuned.Model).All(part => part.parameter.dtype == ScalarType.Float32));
        CollectionAssert.AreEqual(before, Bits(tuned.Model));
        Assert.IsTrue(Array.TrueForAll(Scores(tuned), float.IsFinite));
    }

    // "meta" is a device without memory, which every machine has.
    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void TheyMoveWithTheModel(bool withAdapters)
    {
        using var tuned = Tuned(withAdapters);
        tuned.Model.to(META);
        Assert.IsTrue(tuned.Model.parameters().All(parameter => parameter.device_type == DeviceType.META));
        Assert.AreEqual(DeviceType.META, tuned.Head().Weight(0).device_type);
        Assert.AreEqual(DeviceType.META, tuned.WithChainCount(1).Head().Weight(0).device_type);
        Assert.AreEqual(DeviceType.META, tuned.Model.WithoutAdapters().Norm.Weight(0).device_type);
    }

    [TestMethod]
    public void AModelThatWasMadeElsewhereMovesToTheCpu()
    {
        using var model = new CoLMModel(TestModels.Config(4, 2), META, ScalarType.Float32);
        var error = Assert.Throws<Exception>(() => model.to(CPU));
        Assert.Contains("meta", error.Message, "There is nothing to copy: it was tried.");
    }

    [TestMethod]
    public void TheyAreFreedWithTheModelAndNotTwice()
    {
        var tuned = Tuned(withAdapters: true);
        var (model, parts) = (tuned.Model, Parts(tuned.Model).Select(part => part.parameter).ToArray());
        tuned.Dispose();
        tuned.Dispose();
        model.Dispose();
        Assert.IsTrue(Array.TrueForAll(parts, part => part.IsInvalid));
    }

    [TestMethod]
    public void AModelThatIsGrownOrSharedLeavesThemBehind()
    {
        using var tuned = Tuned(withAdapters: true);
        using var grown = tuned.Model.Expand([2], kvSharing: tuned.Model.Config.KvSharing, seed: 1);
        using var merged = tuned.Model.MergeAdapters();
        Assert.IsEmpty(Parts(grown));
        // What it was tuned for is the merged model's, too.
        Assert.HasCount(tuned.Model.Config.ChainCount, Parts(merged));
        using var folder = new Checkpoints.TemporaryFolder();
        tuned.Model.Save(folder.Path);
        using var loaded = CoLMModel.Load(folder.Path);
        Checkpoints.ModelAssert.SameWeights(merged, loaded);
        Assert.AreEqual(merged.ParameterCount(2), tuned.Model.ParameterCount(2));
    }

    private static IEnumerable<(string name, TorchSharp.Modules.Parameter parameter)> Parts(CoLMModel model) =>
        model.named_parameters().Where(entry => !ParameterName.IsOfChains(entry.name));

    private static byte[] Bits(CoLMModel model) =>
        [.. Parts(model).SelectMany(part => part.parameter.detach().bytes.ToArray())];

    private float[] Scores(ElasticScoringTransformer transformer) =>
        _mlContext.Predict(transformer, Tuning.Data).Scores();

    private ElasticScoringTransformer Tuned(bool withAdapters, int seed = 3)
    {
        using var model = TextModels.Random(4, 2);
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source, steps: 2);
        (options.Seed, options.Lora) = (seed, withAdapters ? Lora : null);
        return _mlContext.Tune(options);
    }
}
