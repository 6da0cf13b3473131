using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tokenizers;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

/// <summary>What <see cref="CoLMModel.Inspect"/> says of folders, and what it refuses.</summary>
[TestClass, DoNotParallelize]
public sealed class InspectTests : IDisposable
{
    private readonly TemporaryFolder _folder = new();

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void AnOrdinaryFolderIsDescribed()
    {
        using var model = TextModels.Random(TextModels.Config(4), dtype: ScalarType.BFloat16);
        model.Save(_folder.Path);
        var info = CoLMModel.Inspect(_folder.Path);
        Assert.AreEqual(model.Config.Layout.ToString(), info.Config.Layout.ToString());
        CollectionAssert.AreEqual(new[] { ScalarType.BFloat16 }, info.DataTypes.ToArray());
        Assert.AreEqual(model.parameters().Sum(parameter => parameter.numel()), info.ParameterCount(1));
        Assert.AreEqual(ByteTokenizer.VocabularySize, info.TokenizerSize);
        CollectionAssert.Contains(info.SpecialTokens.Select(token => token.Key).ToArray(), ByteTokenizer.BeginningOfTextId);
        CollectionAssert.AreEqual(new[] { ByteTokenizer.EndOfTextId }, info.EndTokenIds.ToArray());
        Assert.IsNotNull(info.Tokenizer);
        Assert.IsNull(info.TaskSettings);
        Assert.IsEmpty(info.Warnings);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void EveryChainCountHasItsParameters(bool kvSharing)
    {
        using var model = TextModels.Random(TextModels.Config(4, 2) with { KvSharing = kvSharing });
        model.Save(_folder.Path);
        using var first = CoLMModel.Load(_folder.Path, chainCount: 1);
        var info = CoLMModel.Inspect(_folder.Path);
        Assert.AreEqual(first.parameters().Sum(parameter => parameter.numel()), info.ParameterCount(1));
        Assert.AreEqual(model.parameters().Sum(parameter => parameter.numel()), info.ParameterCount(2));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => info.ParameterCount(0));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => info.ParameterCount(3));
    }

    [TestMethod]
    public void AShardedFolderIsDescribedLikeAWholeOne()
    {
        using var model = TextModels.Random(4);
        model.Save(_folder.Path);
        var whole = CoLMModel.Inspect(_folder.Path);
        ModelFolderTests.Shard(_folder, model);
        var sharded = CoLMModel.Inspect(_folder.Path);
        Assert.AreEqual(whole.ParameterCount(1), sharded.ParameterCount(1));
        CollectionAssert.AreEqual(whole.DataTypes.ToArray(), sharded.DataTypes.ToArray());
        File.Delete(_folder["model-00002-of-00002.safetensors"]);
        Assert.Contains("model-00002-of-00002.safetensors",
            Assert.ThrowsExactly<FileNotFoundException>(() => CoLMModel.Inspect(_folder.Path)).Message);
    }

    [TestMethod]
    public void ATunedFolderSaysWhatFor()
    {
        var mlContext = new MLContext(seed: 1);
        using var model = TextModels.Random(TextModels.Config(4, 4));
        using var source = mlContext.Scorer(model);
        using var tuned = mlContext.Tune(Tuning.Steps(source, steps: 1));
        tuned.Model.Save(_folder.Path);
        Assert.Contains("\"task\"", CoLMModel.Inspect(_folder.Path).TaskSettings!);
    }

    [TestMethod]
    public void AFolderWithoutATokenizerIsDescribedWithoutOne()
    {
        using var model = TestModels.Random(TestModels.Config());
        model.Save(_folder.Path);
        var info = CoLMModel.Inspect(_folder.Path);
        Assert.IsNull(info.Tokenizer);
        Assert.AreEqual(0, info.TokenizerSize);
        Assert.IsEmpty(info.SpecialTokens);
    }

    [TestMethod]
    public void ATensorThatIsMissingIsNamed()
    {
        using var model = TestModels.Random(TestModels.Config());
        model.Save(_folder.Path);
        SafetensorsBytes.Edit(_folder["model.safetensors"], "model.norm.weight", "model.other.weight");
        Assert.Contains("model.norm.weight",
            Assert.ThrowsExactly<InvalidDataException>(() => CoLMModel.Inspect(_folder.Path)).Message);
    }

    [TestMethod]
    public void ADamagedHeaderIsRefusedByFile()
    {
        using var model = TestModels.Random(TestModels.Config());
        model.Save(_folder.Path);
        using (var file = File.OpenWrite(_folder["model.safetensors"]))
            file.Write([255, 255, 255, 255, 255, 255, 255, 127]);
        Assert.Contains("model.safetensors",
            Assert.ThrowsExactly<InvalidDataException>(() => CoLMModel.Inspect(_folder.Path)).Message);
    }
}
