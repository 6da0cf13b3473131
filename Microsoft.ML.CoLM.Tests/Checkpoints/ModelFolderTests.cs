using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Text;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

[TestClass, DoNotParallelize]
public sealed class ModelFolderTests
{
    public static IEnumerable<CoLMConfig> Architectures { get; } =
    [
        TestModels.Config(),
        TestModels.Config() with { TieWordEmbeddings = true, KeyValueHeadCount = null },
        TestModels.Config(4, 4, 8),
        TestModels.Config(4, 2, 6) with { KvSharing = true, HeadDimension = 6 },
        TestModels.Config(4, 2) with { TieWordEmbeddings = true, RopeScaling = new Llama3RopeScaling(8, 1, 4, 32) },
    ];

    [TestMethod]
    [DynamicData(nameof(Architectures))]
    public void TheFormatsTensorsAreTheModelsParameters(CoLMConfig config)
    {
        using var model = TestModels.Random(config);
        for (var chain = 0; chain < config.ChainCount; chain++)
        {
            var expected = ChainTensors.ParametersOf(model, chain)
                .Select(entry => $"{entry.Key} {ErrorText.Shape(entry.Value.shape)}").Order().ToList();
            var actual = ChainTensors.Of(config, chain)
                .Select(tensor => $"{tensor.Name} {ErrorText.Shape(tensor.Shape)}").Order().ToList();
            CollectionAssert.AreEqual(expected, actual);
        }
    }

    [TestMethod]
    [DynamicData(nameof(Architectures))]
    public void AModelThatIsSavedAndLoadedHasTheSameWeightsAndWritesTheSameFiles(CoLMConfig config)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Random(config);
        model.Save(folder["a"]);
        using var loaded = CoLMModel.Load(folder["a"]);
        Assert.AreEqual(config.Layout, loaded.Config.Layout);
        ModelAssert.SameWeights(model, loaded);
        loaded.Save(folder["b"]);
        ModelAssert.SameFiles(folder["a"], folder["b"]);
    }

    [TestMethod]
    [DataRow(ScalarType.BFloat16)]
    [DataRow(ScalarType.Float16)]
    public void AModelKeepsTheTypeItIsStoredInUnlessAnotherIsAskedFor(ScalarType type)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Random(TestModels.Config(4, 2), dtype: type);
        model.Save(folder.Path);
        using var loaded = CoLMModel.Load(folder.Path);
        ModelAssert.SameWeights(model, loaded);
        Assert.IsTrue(loaded.parameters().All(parameter => parameter.dtype == type));

        using var wide = CoLMModel.Load(folder.Path, dtype: ScalarType.Float32);
        var narrow = model.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        foreach (var (name, parameter) in wide.named_parameters())
        {
            using var expected = narrow[name].to(ScalarType.Float32);
            Assert.IsTrue(parameter.allclose(expected, 0, 0), name);
        }
    }

    [TestMethod]
    public void TheFirstChainsAreLoadedWithoutOpeningTheFilesOfTheOthers()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Random(TestModels.Config(4, 4, 8));
        model.Save(folder.Path);
        File.WriteAllText(folder["chain-3.safetensors"], "no safetensors");
        using var two = CoLMModel.Load(folder.Path, chainCount: 2);
        Assert.AreEqual("4,4", two.Config.Layout.ToString());
        ModelAssert.SameWeights(model, two);
        File.Delete(folder["chain-3.safetensors"]);
        File.Delete(folder["chain-2.safetensors"]);
        using var one = CoLMModel.Load(folder.Path, chainCount: 1);
        ModelAssert.SameWeights(model, one);
    }

    [TestMethod]
    public void TheFirstChainsAreSavedAsTheModelTheyAre()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Random(TestModels.Config(4, 4, 8));
        model.Save(folder["all"]);
        model.Save(folder["two"], chainCount: 2);
        CollectionAssert.AreEqual(new[] { "chain-2.safetensors", "config.json", "model.safetensors" },
            TemporaryFolder.Contents(folder["two"]).Keys);
        using var loaded = CoLMModel.Load(folder["two"]);
        using var expected = CoLMModel.Load(folder["all"], chainCount: 2);
        Assert.AreEqual(expected.Config.Layout, loaded.Config.Layout);
        ModelAssert.SameWeights(expected, loaded);
    }

    [TestMethod]
    public void AModelIsGrownAndCutInTheFolderItCameFrom()
    {
        using var folder = new TemporaryFolder();
        using (var base1 = TestModels.Random(TestModels.Config()))
            base1.Save(folder.Path);
        var first = File.ReadAllBytes(folder["model.safetensors"]);
        var config = File.ReadAllText(folder["config.json"]);

        using (var loaded = CoLMModel.Load(folder.Path))
        using (var grown = loaded.Expand([2, 4], kvSharing: true, seed: 1))
            grown.Save(folder.Path);
        CollectionAssert.AreEqual(first, File.ReadAllBytes(folder["model.safetensors"]));
        Assert.AreEqual("[4,2,4]",
            JsonNode.Parse(File.ReadAllText(folder["config.json"]))!["colm"]!["chains"]!.ToJsonString());

        using (var loaded = CoLMModel.Load(folder.Path))
            loaded.Save(folder.Path, chainCount: 1);
        CollectionAssert.AreEqual(
            new[] { "config.json", "model.safetensors" }, TemporaryFolder.Contents(folder.Path).Keys);
        CollectionAssert.AreEqual(first, File.ReadAllBytes(folder["model.safetensors"]));
        using var cut = CoLMModel.Load(folder.Path);
        Assert.AreEqual("4", cut.Config.Layout.ToString());
    }

    [TestMethod]
    public void SavingOverAnotherModelLeavesNothingOfItBehind()
    {
        using var folder = new TemporaryFolder();
        using var old = TestModels.Random(TestModels.Config(4, 4, 8));
        old.Save(folder["a"]);
        foreach (var name in new[]
        {
            "model-00001-of-00002.safetensors", "model.safetensors.index.json", "chain-12.safetensors",
            "tokenizer.json",
        })
        {
            File.WriteAllText(Path.Combine(folder["a"], name), "old");
        }
        File.WriteAllText(Path.Combine(folder["a"], "notes.txt"), "mine");

        using var model = TestModels.Random(TestModels.Config(4, 2), seed: 2);
        model.Save(folder["a"]);
        CollectionAssert.AreEqual(new[] { "chain-2.safetensors", "config.json", "model.safetensors", "notes.txt" },
            TemporaryFolder.Contents(folder["a"]).Keys);
    }

    [TestMethod]
    public void ATokenizerThatWaitsInAFolderWithoutAModelStaysThere()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["tokenizer.json"], "mine");
        using var model = TestModels.Random(TestModels.Config());
        model.Save(folder.Path);
        Assert.AreEqual("mine", File.ReadAllText(folder["tokenizer.json"]));
    }

    [TestMethod]
    public void AShardedFolderIsLoadedAndSavedAsOneFile()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Random(TestModels.Config());
        model.Save(folder.Path);
        var whole = File.ReadAllBytes(folder["model.safetensors"]);
        Shard(folder, model);
        using var loaded = CoLMModel.Load(folder.Path);
        ModelAssert.SameWeights(model, loaded);
        loaded.Save(folder.Path);
        CollectionAssert.AreEqual(
            new[] { "config.json", "model.safetensors" }, TemporaryFolder.Contents(folder.Path).Keys);
        CollectionAssert.AreEqual(whole, File.ReadAllBytes(folder["model.safetensors"]));
    }

    [TestMethod]
    public void ChainsTravelThroughStreamsOfUnknownLengthAsTheBytesOfTheirFiles()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Random(TestModels.Config(4, 2));
        model.Save(folder.Path);
        using var other = TestModels.Random(TestModels.Config(4, 2), seed: 2);
        for (var chain = 0; chain < 2; chain++)
        {
            using var stream = new MemoryStream();
            ModelStream.WriteChain(model, chain, stream);
            CollectionAssert.AreEqual(File.ReadAllBytes(folder[ModelFiles.OfChain(chain, isQuantised: false)]), stream.ToArray());
            ModelStream.ReadChain(other, chain, new ForwardOnlyStream(stream.ToArray()), "entry");
        }
        ModelAssert.SameWeights(model, other);
    }

    [TestMethod]
    public void AChainsStreamThatIsCutAnywhereIsRefusedByName()
    {
        using var model = TestModels.Random(TestModels.Config(4, 2));
        using var stream = new MemoryStream();
        ModelStream.WriteChain(model, 1, stream);
        var bytes = stream.ToArray();
        for (var length = 0; length < bytes.Length; length += 97)
        {
            var cut = bytes[..length];
            var error = Assert.ThrowsExactly<InvalidDataException>(
                () => ModelStream.ReadChain(model, 1, new ForwardOnlyStream(cut), "entry"));
            Assert.StartsWith("entry: ", error.Message);
        }
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(3)]
    [DataRow(-1)]
    public void AChainCountThatTheModelDoesNotHaveIsRefused(int chainCount)
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Random(TestModels.Config(4, 2));
        model.Save(folder["a"]);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => CoLMModel.Load(folder["a"], chainCount));
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => model.Save(folder["b"], chainCount));
        Assert.IsFalse(Directory.Exists(folder["b"]));
    }

    [TestMethod]
    public void ATypeThatNoModelHasIsRefused()
    {
        using var folder = new TemporaryFolder();
        var error = Assert.ThrowsExactly<ArgumentException>(
            () => CoLMModel.Load(folder.Path, dtype: ScalarType.Int32));
        Assert.Contains("Int32", error.Message);
    }

    [TestMethod]
    public void ADisposedModelIsNotSaved()
    {
        using var folder = new TemporaryFolder();
        var model = TestModels.Random(TestModels.Config());
        model.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => model.Save(folder["a"]));
        Assert.IsFalse(Directory.Exists(folder["a"]));
    }

    /// <summary>Splits a folder's weights into two shards, the embedding alone in the first.</summary>
    internal static void Shard(TemporaryFolder folder, CoLMModel model)
    {
        var map = new JsonObject();
        foreach (var isFirst in new[] { true, false })
        {
            var shard = isFirst ? "model-00001-of-00002.safetensors" : "model-00002-of-00002.safetensors";
            var tensors = ChainTensors.ParametersOf(model, 0)
                .Where(entry => entry.Key == ChainTensors.Embedding == isFirst).ToList();
            using var stream = File.Create(folder[shard]);
            SafetensorsWriter.Write(stream, tensors);
            foreach (var (name, _) in tensors)
                map[name] = shard;
        }
        File.WriteAllText(folder["model.safetensors.index.json"],
            new JsonObject { ["metadata"] = new JsonObject(), ["weight_map"] = map }.ToJsonString());
        File.Delete(folder["model.safetensors"]);
    }
}
