using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Estimators;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>Models of which chains are quantised.</summary>
[TestClass, DoNotParallelize]
public sealed class QuantizationTests
{
    private static readonly WeightFormat?[][] Formats =
    [
        [WeightFormat.Int8, WeightFormat.Int8, WeightFormat.Int8], [WeightFormat.Int4, WeightFormat.Int8, null],
        [null, WeightFormat.Int4, WeightFormat.Int4], [WeightFormat.Int4, null, WeightFormat.Int8],
    ];

    public static IEnumerable<object[]> Cases =>
        from formats in Enumerable.Range(0, Formats.Length)
        from kvSharing in new[] { false, true }
        from isTied in new[] { false, true }
        select new object[] { formats, kvSharing, isTied };

    [TestMethod]
    [DynamicData(nameof(Cases))]
    public void LogitsAreThoseOfTheWidenedWeights(int formats, bool kvSharing, bool isTied)
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        using var source = Source(kvSharing, isTied);
        using var model = source.Quantize(Formats[formats]);
        using var numbers = model.Share(0);
        Assert.IsTrue(numbers.Config.WeightFormats.All(format => format is null));
        CollectionAssert.AreEqual(Formats[formats], model.Config.WeightFormats.ToArray());
        Assert.AreEqual(source.ParameterCount(3), model.ParameterCount(3));
        Assert.IsLessThan(source.SizeInBytes(3), model.SizeInBytes(3));
        var ids = TestIds.Of(source.Config, 2, 20);
        for (var chainCount = 1; chainCount <= 3; chainCount++)
        {
            var logits = model.forward(ids, chainCount);
            TensorAssert.RelativelyNear(numbers.forward(ids, chainCount), logits, 1e-6, $"{chainCount} chains");
            Assert.AreEqual(Formats[formats].Take(chainCount).Any(format => format is not null),
                TensorAssert.MaxDifference(source.forward(ids, chainCount), logits) > 0, $"{chainCount} chains are others");
        }
    }

    [TestMethod]
    public void AChainIsQuantisedByItself()
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        using var source = Source(kvSharing: false, isTied: false);
        using var all = source.Quantize(WeightFormat.Int4, WeightFormat.Int8, WeightFormat.Int4);
        using var first = source.Quantize(WeightFormat.Int4, null, null);
        using var second = first.Quantize(null, WeightFormat.Int8, null);
        using var third = second.Quantize(null, null, WeightFormat.Int4);
        ModelAssert.SameWeights(all, third);
        var ids = TestIds.Of(source.Config, 1, 9);
        TensorAssert.SameBits(all.forward(ids, 1), first.forward(ids, 1));
        TensorAssert.SameBits(all.forward(ids, 2), second.forward(ids, 2));
        using var grown = first.Share(3).Expand([4], kvSharing: false, seed: 5);
        for (var chainCount = 1; chainCount <= 3; chainCount++)
            TensorAssert.SameBits(first.forward(ids, chainCount), grown.forward(ids, chainCount));
        TensorAssert.SameBits(first.forward(ids, 3), grown.forward(ids, 4));
        Assert.IsTrue(new WeightFormat?[] { WeightFormat.Int4, null, null, null }.SequenceEqual(grown.Config.WeightFormats));
    }

    [TestMethod]
    public void TheResultIsIndependentOfItsSource()
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        var source = Source(kvSharing: true, isTied: true);
        using var model = source.Quantize(WeightFormat.Int8, null, WeightFormat.Int4);
        var ids = TestIds.Of(source.Config, 1, 9);
        var before = model.forward(ids, 3);
        foreach (var (_, parameter) in source.named_parameters())
            parameter.zero_();
        source.Dispose();
        TensorAssert.SameBits(before, model.forward(ids, 3));
    }

    [TestMethod]
    public void ConversionsKeepCodesAndScales()
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        using var source = Source(kvSharing: true, isTied: false);
        using var model = source.Quantize(WeightFormat.Int8, WeightFormat.Int4, null);
        using var same = source.Quantize(WeightFormat.Int8, WeightFormat.Int4, null);
        model.to(bfloat16);
        Assert.AreEqual(bfloat16, model.DataType);
        foreach (var ((name, before), (_, after)) in same.named_parameters().Zip(model.named_parameters()))
        {
            if (ParameterName.IsPacked(name))
                TensorAssert.SameBits(before, after, name);
            else
                Assert.AreEqual(bfloat16, after.dtype, name);
        }
        var ids = TestIds.Of(source.Config, 1, 9);
        TensorAssert.RelativelyNear(same.forward(ids, 3), model.forward(ids, 3).to(float32), 0.05);
        model.to(float32).to(CPU);
        Assert.AreEqual(float32, model.forward(ids, 3).dtype);
    }

    [TestMethod]
    public void EqualChainsAreSharedAndOthersAreNot()
    {
        using var source = Source(kvSharing: true, isTied: true);
        using var one = source.Quantize(WeightFormat.Int8, WeightFormat.Int4, null);
        using var other = source.Quantize(WeightFormat.Int8, WeightFormat.Int8, null);
        var bytes = one.ChainParameters().Where(entry => ParameterName.Parse(entry.name).Chain == 0)
            .Sum(entry => entry.parameter.numel() * entry.parameter.ElementSize);
        Assert.IsGreaterThanOrEqualTo(bytes, one.ShareWeights(other));
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var ids = TestIds.Of(source.Config, 1, 9);
        using var again = source.Quantize(WeightFormat.Int8, WeightFormat.Int4, null);
        TensorAssert.SameBits(again.forward(ids, 3), one.forward(ids, 3));
    }

    [TestMethod]
    public void AChainMayBeACopyOfAQuantisedFirst()
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        using var source = TestModels.Random(TestModels.Config(4));
        using var model = source.Quantize(WeightFormat.Int8);
        using var grown = model.Expand([4], kvSharing: true, seed: 1, ChainInitialization.CopyFirstChain);
        TensorAssert.SameBits(
            model.Embedding.Matrix(0).Widened(float32), grown.Embedding.Matrix(1).Widened(float32));
    }

    [TestMethod]
    public void WrongFormatsAreRefused()
    {
        using var source = Source(kvSharing: true, isTied: true);
        Refused("for each of the 3 chains {4,4,2}, found 2", () => source.Quantize(WeightFormat.Int8, null));
        Refused("chain 2, found 7", () => source.Quantize(null, (WeightFormat)7, null));
        Assert.ThrowsExactly<ArgumentNullException>(() => source.Quantize(null!));
        using var model = source.Quantize(null, WeightFormat.Int8, null);
        Refused("Chain 2 is quantised already, as Int8", () => model.Quantize(WeightFormat.Int4));
        using (no_grad())
            source.Layers[1].FeedForward.Up.Weight(2).fill_(float.NaN);
        Refused("layers.1.mlp.up_proj.chain_3", () => source.Quantize(WeightFormat.Int4));
        Refused("once it is trained", () => CoLMModel.Create(model.Config));

        static void Refused(string what, Func<CoLMModel> create) =>
            Assert.Contains(what, Assert.ThrowsExactly<ArgumentException>(() => create()).Message);
    }

    [TestMethod]
    public void ConfigurationsThatDifferInAFormatAreNotEqual()
    {
        var config = TestModels.Config(4, 4);
        Assert.AreEqual(config, config with { WeightFormats = [null, null] });
        Assert.AreNotEqual(config, config with { WeightFormats = [null, WeightFormat.Int8] });
        Assert.AreEqual(config with { WeightFormats = [WeightFormat.Int4] }, config with { WeightFormats = [WeightFormat.Int4, null] });
    }

    [TestMethod]
    public void NoTensorIsLeftBehind()
    {
        using var source = Source(kvSharing: true, isTied: true);
        using var model = source.Quantize(WeightFormat.Int8, WeightFormat.Int4, null);
        using var ids = TestIds.Of(source.Config, 1, 20);
        using var noGradients = no_grad();
        model.forward(ids, 3).Dispose();
        var before = LiveTensors.CountSettled();
        model.forward(ids, 3).Dispose();
        Assert.AreEqual(before, LiveTensors.Count);
    }

    private static CoLMModel Source(bool kvSharing, bool isTied) => TestModels.Random(
        TestModels.Config(4, 4, 2) with { KvSharing = kvSharing, TieWordEmbeddings = isTied, HiddenSize = 40, HeadDimension = 10 });
}
