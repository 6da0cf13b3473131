using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Checkpoints;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

/// <summary>One model's weights in the forms that other tools write them in.</summary>
[TestClass, DoNotParallelize]
public sealed class GivenWeightsTests : IDisposable
{
    private const string Head = "lm_head.weight";
    private const string Frequencies = "model.layers.0.self_attn.rotary_emb.inv_freq";

    private readonly TemporaryFolder _folder = new();
    private readonly CoLMModel _model = TestModels.Random(TestModels.Config() with { TieWordEmbeddings = true });

    public GivenWeightsTests() => _model.Save(_folder.Path);

    public void Dispose()
    {
        _model.Dispose();
        _folder.Dispose();
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void ATiedHeadThatIsStoredTooIsTheEmbedding(bool isSharded)
    {
        var tensors = Tensors();
        tensors[Head] = tensors[ChainTensors.Embedding];
        Write(tensors, isSharded);
        IsTheModel();
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void AnEmbeddingThatIsStoredAsTheHeadAloneIsFound(bool isSharded)
    {
        var tensors = Tensors();
        tensors.Remove(ChainTensors.Embedding, out var embedding);
        tensors[Head] = embedding!;
        Write(tensors, isSharded);
        IsTheModel();
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void AHeadThatIsAnotherThanTheEmbeddingIsUsed(bool isSharded)
    {
        var tensors = Tensors();
        using var head = tensors[ChainTensors.Embedding].clone();
        using (no_grad())
            head[^1].neg_();
        tensors[Head] = head;
        Write(tensors, isSharded);
        using var loaded = CoLMModel.Load(_folder.Path);
        Assert.IsFalse(loaded.Config.TieWordEmbeddings);
        Assert.ContainsSingle(loaded.Warnings);
        Assert.Contains("\"tie_word_embeddings\" is true", loaded.Warnings[0]);
        TensorAssert.SameBits(head, ChainTensors.ParametersOf(loaded, 0)[Head]);

        // What is saved says what it is.
        loaded.Save(_folder["again"]);
        using var again = CoLMModel.Load(_folder["again"]);
        Assert.IsEmpty(again.Warnings);
        Assert.IsFalse(again.Config.TieWordEmbeddings);
        ModelAssert.SameWeights(loaded, again);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void NamesWithoutTheModelsPrefixAndStoredFrequenciesAreTheSameModel(bool isSharded)
    {
        var tensors = Tensors().ToDictionary(entry => entry.Key["model.".Length..], entry => entry.Value);
        using var frequencies = rand(2);
        tensors[Frequencies["model.".Length..]] = frequencies;
        Write(tensors, isSharded);
        IsTheModel();

        tensors = Tensors();
        tensors[Frequencies] = frequencies;
        Write(tensors, isSharded);
        IsTheModel();
    }

    [TestMethod]
    public void MetadataMayBeNull()
    {
        SafetensorsBytes.Edit(_folder["model.safetensors"], "\"__metadata__\":{\"format\":\"pt\"}", "\"__metadata__\":null");
        IsTheModel();
    }

    private Dictionary<string, Tensor> Tensors() => ChainTensors.ParametersOf(_model, 0);

    private void IsTheModel()
    {
        using var loaded = CoLMModel.Load(_folder.Path);
        Assert.IsTrue(loaded.Config.TieWordEmbeddings);
        Assert.IsEmpty(loaded.Warnings);
        ModelAssert.SameWeights(_model, loaded);
        loaded.Save(_folder["again"]);
        using var expected = new TemporaryFolder();
        _model.Save(expected.Path);
        CollectionAssert.AreEqual(File.ReadAllBytes(expected["model.safetensors"]),
            File.ReadAllBytes(Path.Combine(_folder["again"], "model.safetensors")));
    }

    // Sharded, the embedding and the head are in different files.
    private void Write(Dictionary<string, Tensor> tensors, bool isSharded)
    {
        foreach (var old in Directory.GetFiles(_folder.Path, "model*"))
            File.Delete(old);
        if (!isSharded)
        {
            WriteFile("model.safetensors", tensors);
            return;
        }
        var map = new JsonObject();
        foreach (var shard in tensors.GroupBy(entry => entry.Key == Head ? 2 : entry.Key.Contains("embed", StringComparison.Ordinal) ? 0 : 1))
        {
            var name = $"model-0000{shard.Key + 1}-of-00003.safetensors";
            WriteFile(name, shard);
            foreach (var (tensor, _) in shard)
                map[tensor] = name;
        }
        File.WriteAllText(_folder["model.safetensors.index.json"], new JsonObject { ["weight_map"] = map }.ToJsonString());
    }

    private void WriteFile(string name, IEnumerable<KeyValuePair<string, Tensor>> tensors)
    {
        using var stream = File.Create(_folder[name]);
        SafetensorsWriter.Write(stream, tensors);
    }
}
