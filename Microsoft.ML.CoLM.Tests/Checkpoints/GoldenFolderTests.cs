using Microsoft.ML.CoLM.Checkpoints;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

[TestClass, DoNotParallelize]
public sealed class GoldenFolderTests
{
    [TestMethod]
    [DataRow("data", "stories260K")]
    [DataRow("golden", "air-expanded-3")]
    [DataRow("golden", "air-gqa-wide-head-4")]
    [DataRow("golden", "expanded-2")]
    [DataRow("golden", "hf-head-dim")]
    [DataRow("golden", "hf-llama3-rope")]
    [DataRow("golden", "scratch-mha-3")]
    public void AReferenceFolderIsLoadedAndSavedToTheByte(string kind, string name)
    {
        var source = SharedData.Folder(kind, name);
        using var folder = new TemporaryFolder();
        using var model = CoLMModel.Load(source);
        Assert.IsTrue(model.parameters().All(parameter => parameter.dtype == ScalarType.Float32));
        model.Save(folder.Path);

        var (expected, actual) = (TemporaryFolder.Contents(source), TemporaryFolder.Contents(folder.Path));
        Assert.HasCount(model.Config.ChainCount, actual.Keys.Where(ModelFiles.IsWeights));
        foreach (var (file, bytes) in actual)
            Assert.IsTrue(bytes.AsSpan().SequenceEqual(expected[file]), $"{file} differs.");
        Assert.AreEqual(expected.ContainsKey("tokenizer.model"), actual.ContainsKey("tokenizer.model"));

        for (var chainCount = 1; chainCount < model.Config.ChainCount; chainCount++)
        {
            using var first = CoLMModel.Load(source, chainCount);
            ModelAssert.SameWeights(model, first);
        }
    }

    [TestMethod]
    public void AReferenceFolderInBFloat16IsLoadedAndSavedToTheByte()
    {
        var source = SharedData.Folder("golden", "scratch-bf16-2");
        using var folder = new TemporaryFolder();
        using var model = CoLMModel.Load(source);
        Assert.IsTrue(model.parameters().All(parameter => parameter.dtype == ScalarType.BFloat16));
        model.Save(folder.Path);
        foreach (var file in new[] { "model.safetensors", "chain-2.safetensors" })
            CollectionAssert.AreEqual(File.ReadAllBytes(Path.Combine(source, file)), File.ReadAllBytes(folder[file]));
    }

    [TestMethod]
    public void AShardedReferenceFolderIsSavedAsOneFileWithTheSameTensors()
    {
        var source = SharedData.Folder("golden", "hf-sharded-bf16");
        using var folder = new TemporaryFolder();
        using (var model = CoLMModel.Load(source))
            model.Save(folder.Path);
        CollectionAssert.AreEqual(
            new[] { "config.json", "generation_config.json", "model.safetensors" }, TemporaryFolder.Contents(folder.Path).Keys);

        var expected = Tensors(Directory.GetFiles(source, "model-*.safetensors"));
        var actual = Tensors([folder["model.safetensors"]]);
        CollectionAssert.AreEqual(expected.Keys, actual.Keys);
        foreach (var (name, bytes) in expected)
            CollectionAssert.AreEqual(bytes, actual[name], name);
    }

    private static SortedDictionary<string, byte[]> Tensors(string[] files)
    {
        var tensors = new SortedDictionary<string, byte[]>(StringComparer.Ordinal);
        foreach (var file in files)
        {
            using var reader = SafetensorsReader.Open(file);
            foreach (var entry in reader.Entries)
            {
                using var tensor = reader.Read(entry);
                tensors.Add(entry.Name, tensor.bytes.ToArray());
            }
        }
        return tensors;
    }
}
