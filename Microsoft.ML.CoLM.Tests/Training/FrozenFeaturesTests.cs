using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>What frozen chains compute, kept for later epochs.</summary>
[TestClass, DoNotParallelize]
public sealed class FrozenFeaturesTests
{
    private static readonly string Folder = Path.GetTempPath();

    private static readonly FrozenFeatureBudget Ample = new(1 << 24, 0, 1 << 16);

    private static readonly int[][] Examples = Random(lengths: [3, 9, 1, 17, 9, 4, 30, 2, 12, 60]);

    public static IEnumerable<object[]> Models { get; } =
        from kvSharing in new[] { false, true }
        from frozenChains in new[] { 1, 2 }
        select new object[] { kvSharing, frozenChains };

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void KeptFeaturesAreThePrefixsAndPaddingIsZero(bool kvSharing, int frozenChains)
    {
        using var model = Model(kvSharing);
        using var frozen = new FrozenFeatures(model, frozenChains, Examples, Ample, Assert.Fail);
        Assert.AreEqual(Examples.Length, frozen.KeptExamples);
        foreach (var chosen in (int[][])[[0], [6, 2], [1, 3, 4], [2], [9, 0, 7], [.. Enumerable.Range(0, 10)]])
        {
            var batch = Batch(chosen);
            using var kept = frozen.Of(chosen, batch);
            using var ids = batch.TokenIds(CPU);
            using var prefix = model.Prefix(ids, frozenChains);
            foreach (var site in FrozenSite.Of(model.Config, frozenChains, ofLast: false))
            {
                AreClose(site, batch, prefix, kept);
                using var scope = NewDisposeScope();
                var numbers = site.In(kept).view(batch.Count, site.Groups, batch.Length, site.Width);
                for (var i = 0; i < chosen.Length; i++)
                {
                    var padding = numbers[i].narrow(1, Examples[chosen[i]].Length, batch.Length - Examples[chosen[i]].Length);
                    Assert.AreEqual(0, padding.count_nonzero().ToInt64(), $"{site}");
                }
            }
        }
    }

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void TheyHaveTheSameBitsWhateverIsAskedForFirst(bool kvSharing, int frozenChains)
    {
        using var model = Model(kvSharing);
        using var forwards = new FrozenFeatures(model, frozenChains, Examples, Ample, Assert.Fail);
        using var backwards = new FrozenFeatures(model, frozenChains, Examples, Ample, Assert.Fail);
        for (var i = Examples.Length - 1; i >= 0; i--)
            backwards.Of([i], Batch([i])).Dispose();
        int[] chosen = [9, 5, 1, 3];
        using var a = forwards.Of(chosen, Batch(chosen));
        using var b = backwards.Of(chosen, Batch(chosen));
        using var again = forwards.Of(chosen, Batch(chosen));
        foreach (var site in FrozenSite.Of(model.Config, frozenChains, ofLast: false))
        {
            TensorAssert.SameBits(site.In(a), site.In(b), $"{site}");
            TensorAssert.SameBits(site.In(a), site.In(again), $"{site}");
        }
    }

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void WhateverFitsIsKeptAndTheRestIsComputedEachTime(bool kvSharing, int frozenChains)
    {
        using var model = Model(kvSharing);
        using var all = new FrozenFeatures(model, frozenChains, Examples, Ample, Assert.Fail);
        var bytes = (long)FrozenSite.Of(model.Config, frozenChains, ofLast: false).Sum(site => site.Groups * site.Width) * sizeof(float);
        var longest = bytes * 60;
        foreach (var (budget, expected) in ((FrozenFeatureBudget, int)[])[
            (new(0, 0, 1), 0), (new(longest - 1, longest - 1, 1, Folder), 0), (new(longest, 0, 1), 8),
            (new(0, longest, 1, Folder), 8), (new(0, longest, 1), 0), (new(longest, longest, 1, Folder), 9),
            (new(2 * longest, longest, 1, Folder), 10), (new(0, 3 * longest, 1, Folder), 10)])
        {
            using var frozen = new FrozenFeatures(model, frozenChains, Examples, budget, Assert.Fail);
            Assert.AreEqual(expected, frozen.KeptExamples, $"{budget}");
            foreach (var chosen in (int[][])[[2, 7], [9, 0], [6, 3, 8], [2, 7]])
            {
                var batch = Batch(chosen);
                using var kept = frozen.Of(chosen, batch);
                using var whole = all.Of(chosen, batch);
                foreach (var site in FrozenSite.Of(model.Config, frozenChains, ofLast: false))
                    AreClose(site, batch, whole, kept);
            }
        }
    }

    [TestMethod]
    public void WhereTheDiskIsFullFeaturesAreComputedEachTimeAndAWarningSaysSo()
    {
        using var disk = new SmallDisk();
        using var model = Model(kvSharing: true);
        var bytes = FrozenSite.Of(model.Config, 1, ofLast: false).Sum(site => site.Groups * site.Width) * sizeof(float);
        var longest = bytes * 60;
        disk.Fill(bytesLeft: longest + longest / 2);
        List<string> warnings = [];
        using var all = new FrozenFeatures(model, 1, Examples, Ample, Assert.Fail);
        using var frozen = new FrozenFeatures(model, 1, Examples, new(0, 3 * longest, 1, disk.Path), warnings.Add);
        Assert.AreEqual(10, frozen.KeptExamples);
        for (var round = 0; round < 2; round++)
        {
            foreach (var chosen in (int[][])[[2, 7], [9, 0], [6, 3, 8], [1, 4, 5]])
            {
                var batch = Batch(chosen);
                using var kept = frozen.Of(chosen, batch);
                using var whole = all.Of(chosen, batch);
                foreach (var site in FrozenSite.Of(model.Config, 1, ofLast: false))
                    AreClose(site, batch, whole, kept);
            }
        }
        Assert.HasCount(1, warnings);
        Assert.Contains("could not be kept", warnings[0]);
        // All examples are of the group that was to be computed first.
        Assert.AreEqual(0, frozen.KeptExamples);
    }

    [TestMethod]
    public void AnExampleIsComputedOnce()
    {
        using var model = Model(kvSharing: true);
        var many = Random([.. Enumerable.Range(0, 400).Select(i => 40 + i % 20)]);
        using var frozen = new FrozenFeatures(model, 1, many, new(1 << 26, 0), Assert.Fail);
        Assert.AreEqual(400, frozen.KeptExamples);
        frozen.Of([0], new PaddedBatch([many[0]])).Dispose();
        var first = frozen.ComputedExamples;
        Assert.IsTrue(first is > 0 and < 400, "Of a group, and not of all.");
        for (var round = 0; round < 2; round++)
        {
            for (var i = 0; i < many.Length; i += 4)
                frozen.Of([i, i + 1, i + 2, i + 3], new PaddedBatch(many[i..(i + 4)])).Dispose();
            Assert.AreEqual(400, frozen.ComputedExamples);
        }
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void LaterChainsComputeOnTopOfThem(bool kvSharing)
    {
        using var model = Model(kvSharing);
        using var frozen = new FrozenFeatures(model, 1, Examples, Ample, Assert.Fail);
        int[] chosen = [6, 3, 0];
        var batch = Batch(chosen);
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        using var prefix = frozen.Of(chosen, batch);
        var ids = batch.TokenIds(CPU);
        var rows = batch.LastRows(CPU);
        var rest = model.Features(ids, new(1, 3), prefix).index_select(0, rows);
        var whole = model.Features(ids, new(0, 3)).index_select(0, rows);
        TensorAssert.RelativelyNear(whole.narrow(1, 16, rest.size(1)), rest, 1e-5);
    }

    [TestMethod]
    public void NothingIsLeftBehind()
    {
        using var model = Model(kvSharing: true);
        using var frozen = new FrozenFeatures(model, 1, Examples, new(1 << 14, 1 << 14, 1 << 12, Folder), Assert.Fail);
        void Pass()
        {
            for (var i = 0; i < Examples.Length; i++)
                frozen.Of([i, 9 - i], Batch([i, 9 - i])).Dispose();
        }
        Pass();
        var before = LiveTensors.CountSettled();
        for (var round = 0; round < 20; round++)
            Pass();
        Assert.AreEqual(before, LiveTensors.Count);
    }

    [TestMethod]
    [DataRow(ScalarType.BFloat16)]
    [DataRow(ScalarType.Float64)]
    public void OtherElementTypesAreKeptAsTheyAre(ScalarType dtype)
    {
        using var model = TestModels.Random(TestModels.Config(4, 4), dtype: dtype);
        using var frozen = new FrozenFeatures(model, 1, Examples, Ample, Assert.Fail);
        using var kept = frozen.Of([3], Batch([3]));
        Assert.AreEqual(dtype, kept.HeadInput!.dtype);
        using var ids = Batch([3]).TokenIds(CPU);
        using var prefix = model.Prefix(ids, 1);
        TensorAssert.RelativelyNear(prefix.HeadInput!, kept.HeadInput, 5e-2);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    public void TuningIsTheSameWithAndWithoutThem(int frozenChains)
    {
        var mlContext = new MLContext(seed: 1);
        using var model = TextModels.Random(TextModels.Config(4, 2, 4) with { KvSharing = true });
        using var source = mlContext.Scorer(model);
        double[] Losses(Action<ChainTuningEstimator.Options> change)
        {
            var options = Tuning.Steps(source);
            var recorder = new Recorder();
            (options.MaxSteps, options.Epochs, options.BatchSize) = (null, 4, 5);
            (options.FrozenChains, options.LearningRate, options.Progress) = (frozenChains, 1e-3, recorder);
            change(options);
            mlContext.Tune(options).Dispose();
            return [.. recorder.Reports.Select(report => report.Loss)];
        }
        var expected = Losses(options => options.ReuseFrozenFeatures = false);
        Assert.HasCount(12, expected);
        foreach (var change in (Action<ChainTuningEstimator.Options>[])[
            _ => { },
            options => (options.FrozenFeatureMemoryBytes, options.FrozenFeatureFolder) = (0, Folder),
            options => options.FrozenFeatureMemoryBytes = 0,
            options => (options.FrozenFeatureMemoryBytes, options.FrozenFeatureDiskBytes, options.FrozenFeatureFolder) =
                (long.MaxValue, long.MaxValue, Folder)])
        {
            var losses = Losses(change);
            for (var step = 0; step < 12; step++)
                Assert.AreEqual(expected[step], losses[step], 1e-3 * expected[step], $"step {step + 1}");
        }
    }

    private static CoLMModel Model(bool kvSharing) =>
        TestModels.Random(TestModels.Config(4, 2, 4) with { KvSharing = kvSharing });

    private static int[][] Random(int[] lengths)
    {
        var random = new Random(1);
        return Array.ConvertAll(lengths, length => Enumerable.Range(0, length).Select(_ => random.Next(40)).ToArray());
    }

    private static PaddedBatch Batch(int[] chosen) => new(Array.ConvertAll(chosen, i => Examples[i]));

    // The same to rounding where examples have tokens; what stands elsewhere makes no difference.
    private static void AreClose(FrozenSite site, PaddedBatch batch, ChainFeatures expected, ChainFeatures actual)
    {
        using var scope = NewDisposeScope();
        CollectionAssert.AreEqual(site.Shape(batch.Count, batch.Length), site.In(actual).shape);
        long[] shape = [batch.Count, site.Groups, batch.Length, site.Width];
        var (a, b) = (site.In(expected).view(shape), site.In(actual).view(shape));
        for (var i = 0; i < batch.Count; i++)
        {
            var length = batch.Example(i).Length;
            TensorAssert.RelativelyNear(a[i].narrow(1, 0, length), b[i].narrow(1, 0, length), 1e-5, $"{site}");
        }
    }

    [TestMethod]
    public void ExamplesAreComputedTogetherAsFarAsASpanReachesTheirBytes()
    {
        var wide = TestModels.Config(4) with { HiddenSize = 16384, IntermediateSize = 53248 };
        Assert.AreEqual(8192, FrozenFeatures.TokensAtOnce(FrozenSite.Of(wide, chainCount: 1, ofLast: false), elementSize: 4));
        var wider = wide with { Layout = new ChainLayout(4, 4) };
        Assert.AreEqual(int.MaxValue / (2 * 53248 * 4),
            FrozenFeatures.TokensAtOnce(FrozenSite.Of(wider, chainCount: 2, ofLast: false), elementSize: 4));
    }
}
