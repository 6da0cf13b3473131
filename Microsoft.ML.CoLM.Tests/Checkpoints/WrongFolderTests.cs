using Microsoft.ML.CoLM.Checkpoints;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

[TestClass, DoNotParallelize]
public sealed class WrongFolderTests
{
    private const string Index = "model.safetensors.index.json";
    private const string Query = "model.layers.1.self_attn.q_proj.weight";

    [TestMethod]
    public void AFolderThatIsMissingIsNamed()
    {
        using var folder = new TemporaryFolder();
        var error = Assert.ThrowsExactly<DirectoryNotFoundException>(() => CoLMModel.Load(folder["nowhere"]));
        Assert.Contains(folder["nowhere"], error.Message);
    }

    [TestMethod]
    public void APathWithANulCharacterIsRefusedForWhatItIs()
    {
        using var model = TestModels.Random(TestModels.Config(4));
        foreach (var use in (Action<string>[])[path => CoLMModel.Load(path), path => CoLMTokenizer.Load(path),
            path => model.Save(path), path => new MLContext().Transforms.ElasticScoring(path)])
        {
            Assert.Contains(@"NUL character, which no path has: 'a\0b'",
                Assert.ThrowsExactly<ArgumentException>(() => use("a\0b")).Message);
        }
    }

    [TestMethod]
    public void AFolderWithoutAConfigurationIsNamed()
    {
        using var folder = new TemporaryFolder();
        var error = Assert.ThrowsExactly<FileNotFoundException>(() => CoLMModel.Load(folder.Path));
        Assert.Contains(folder.Path, error.Message);
        Assert.Contains("config.json", error.Message);
    }

    [TestMethod]
    public void AWrongConfigurationIsNamedWithItsPath()
    {
        using var folder = Saved();
        File.WriteAllText(folder["config.json"], """{"model_type":"gpt2"}""");
        Refused<InvalidDataException>(folder, folder["config.json"], "\"model_type\"", "gpt2");
    }

    [TestMethod]
    public void ANameThatIsNoUnicodeIsRefused()
    {
        using var folder = Saved();
        var json = File.ReadAllText(folder["config.json"]);
        foreach (var name in (string[])["\"\\ud800\"", "\"hidden_act\\udc00\""])
        {
            File.WriteAllText(folder["config.json"], json.Replace("\"hidden_act\"", name, StringComparison.Ordinal));
            Refused<InvalidDataException>(folder, folder["config.json"], "not valid JSON");
        }
    }

    [TestMethod]
    public void AFolderWithoutWeightsTellsWhatWasLookedFor()
    {
        using var folder = Saved();
        File.Delete(folder["model.safetensors"]);
        Refused<FileNotFoundException>(folder, "model.safetensors", Index);
        File.WriteAllText(folder["pytorch_model.bin"], "");
        Refused<FileNotFoundException>(folder, "pytorch_model.bin");
    }

    [TestMethod]
    public void AMissingChainFileIsNamed()
    {
        using var folder = Saved();
        File.Delete(folder["chain-2.safetensors"]);
        Refused<FileNotFoundException>(folder, "chain-2.safetensors", "{4,2}");
    }

    [TestMethod]
    public void AMissingTensorIsNamedWithItsShape()
    {
        using var folder = Saved();
        SafetensorsBytes.Edit(folder["model.safetensors"], Query, "model.layers.1.self_attn.Q_proj.weight");
        Refused<InvalidDataException>(folder, folder["model.safetensors"], Query, "missing", "[16, 16]");
    }

    [TestMethod]
    public void ATensorOfAnotherShapeIsNamedWithBothShapes()
    {
        using var folder = Saved();
        SafetensorsBytes.Edit(folder["chain-2.safetensors"], "\"shape\":[40,8]", "\"shape\":[8,40]");
        Refused<InvalidDataException>(folder, folder["chain-2.safetensors"], "embed_tokens", "[8, 40]", "[40, 8]");
    }

    [TestMethod]
    public void ATensorOfAnUnsupportedTypeIsNamedWithTheType()
    {
        using var folder = Saved();
        SafetensorsBytes.Edit(folder["model.safetensors"],
            "\"model.norm.weight\":{\"dtype\":\"F32\"", "\"model.norm.weight\":{\"dtype\":\"I32\"");
        Refused<InvalidDataException>(folder, "model.norm.weight", "I32", "BF16");
    }

    [TestMethod]
    [DataRow("rotary_emb.inv_freq")]
    [DataRow("model.layers.9.input_layernorm.weight")]
    public void ATensorThatTheFirstChainDoesNotNeedIsPassedOver(string name)
    {
        using var folder = Saved();
        AddTensor(folder["model.safetensors"], name);
        using var model = CoLMModel.Load(folder.Path);
    }

    [TestMethod]
    [DataRow("model.layers.0.self_attn.q_proj.qweight", "quantised")]
    [DataRow("model.layers.0.self_attn.q_proj.weight_scale", "quantised")]
    [DataRow("model.layers.0.self_attn.q_proj.bias", "bias")]
    public void ATensorThatWouldChangeTheResultIsNamed(string name, string problem)
    {
        using var folder = Saved();
        AddTensor(folder["model.safetensors"], name);
        Refused<InvalidDataException>(folder, name, problem);
    }

    [TestMethod]
    public void ATensorThatALaterChainDoesNotHaveIsNamed()
    {
        using var folder = Saved();
        AddTensor(folder["chain-2.safetensors"], "extra");
        Refused<InvalidDataException>(folder, "chain-2.safetensors", "\"extra\"", "chain 2");
    }

    [TestMethod]
    public void ATiedModelsStoredHeadOfAnotherShapeIsRefused()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Random(TestModels.Config() with { TieWordEmbeddings = true });
        model.Save(folder.Path);
        AddTensor(folder["model.safetensors"], "lm_head.weight");
        Refused<InvalidDataException>(folder, "lm_head.weight");
    }

    [TestMethod]
    public void AFileCutAnywhereIsNamed()
    {
        using var folder = Saved();
        var file = File.ReadAllBytes(folder["chain-2.safetensors"]);
        for (var length = 0; length < file.Length; length += 211)
        {
            File.WriteAllBytes(folder["chain-2.safetensors"], file[..length]);
            Refused<InvalidDataException>(folder, folder["chain-2.safetensors"]);
        }
        File.WriteAllBytes(folder["chain-2.safetensors"], file[..^1]);
        Refused<InvalidDataException>(folder, "truncated");
    }

    [TestMethod]
    public void AConfigurationOfAHugeModelBesideSmallFilesIsRefusedBeforeAnythingIsAllocated()
    {
        using var folder = Saved();
        var json = File.ReadAllText(folder["config.json"]);
        File.WriteAllText(folder["config.json"], json.Replace("hidden_layers\": 2", "hidden_layers\": 2147483647"));
        Refused<InvalidDataException>(folder, "model.layers.2.input_layernorm.weight", "missing");
        File.WriteAllText(folder["config.json"], json.Replace("\"vocab_size\": 40", "\"vocab_size\": 2147483647"));
        Refused<InvalidDataException>(folder, "model.embed_tokens.weight", "[2147483647, 16]");
    }

    [TestMethod]
    public void AMissingShardIsNamed()
    {
        using var folder = Sharded();
        File.Delete(folder["model-00002-of-00002.safetensors"]);
        Refused<FileNotFoundException>(folder, Index, "model-00002-of-00002.safetensors");
    }

    [TestMethod]
    public void ATensorThatIsNotWhereTheIndexSaysIsNamed()
    {
        using var folder = Sharded();
        EditIndex(folder, "\"model.norm.weight\":\"model-00002", "\"model.norm.weight\":\"model-00001");
        Refused<InvalidDataException>(folder, "model-00001-of-00002.safetensors", "model.norm.weight", "missing");
    }

    [TestMethod]
    public void ATensorThatTheIndexLacksIsNamed()
    {
        using var folder = Sharded();
        EditIndex(folder, "\"model.norm.weight\"", "\"model.Norm.weight\"");
        Refused<InvalidDataException>(folder, Index, "\"model.norm.weight\"", "missing");
    }

    [TestMethod]
    [DataRow("\"../model-00002-of-00002.safetensors\"")]
    [DataRow("\"/etc/passwd\"")]
    [DataRow("\"a\\\\b\"")]
    [DataRow("\"C:x\"")]
    [DataRow("\"..\"")]
    [DataRow("\"\"")]
    [DataRow("7")]
    public void AnIndexThatLeadsOutOfItsFolderIsRefused(string shard)
    {
        using var folder = Sharded();
        EditIndex(folder, ".norm.weight\":\"model-00002-of-00002.safetensors\"", $".norm.weight\":{shard}");
        Refused<InvalidDataException>(folder, Index, "model.norm.weight", "same folder");
    }

    [TestMethod]
    [DataRow("{", "not valid JSON")]
    [DataRow("[]", "weight_map")]
    [DataRow("{}", "weight_map")]
    [DataRow("""{"weight_map":[]}""", "weight_map")]
    public void ABrokenIndexIsNamed(string json, string problem)
    {
        using var folder = Sharded();
        File.WriteAllText(folder[Index], json);
        Refused<InvalidDataException>(folder, folder[Index], problem);
    }

    [TestMethod]
    [DataRow("config.json")]
    [DataRow("model.safetensors.index.json")]
    [DataRow("model-00002-of-00002.safetensors")]
    public void AFileWithDamagedTextIsRefusedAsSuchWhateverTheDamage(string name)
    {
        const int tries = 400;
        using var folder = Sharded();
        var file = File.ReadAllBytes(folder[name]);
        var random = new Random(1);
        for (var i = 0; i < tries; i++)
        {
            var damaged = (byte[])file.Clone();
            for (var change = 0; change < 3; change++)
                damaged[random.Next(Math.Min(file.Length, 1000))] = (byte)random.Next(256);
            File.WriteAllBytes(folder[name], damaged);
            try
            {
                CoLMModel.Load(folder.Path).Dispose(); // harmless damage
            }
            catch (Exception e) when (e is InvalidDataException or FileNotFoundException)
            {
                Assert.Contains(folder.Path, e.Message);
            }
        }
    }

    private static TemporaryFolder Saved()
    {
        var folder = new TemporaryFolder();
        using var model = TestModels.Random(TestModels.Config(4, 2));
        model.Save(folder.Path);
        return folder;
    }

    private static TemporaryFolder Sharded()
    {
        var folder = new TemporaryFolder();
        using var model = TestModels.Random(TestModels.Config());
        model.Save(folder.Path);
        ModelFolderTests.Shard(folder, model);
        return folder;
    }

    private static void EditIndex(TemporaryFolder folder, string from, string to)
    {
        var json = File.ReadAllText(folder[Index]);
        Assert.Contains(from, json);
        File.WriteAllText(folder[Index], json.Replace(from, to, StringComparison.Ordinal));
    }

    // Without elements, so that no other tensor's offsets change.
    private static void AddTensor(string path, string name)
    {
        const string first = "{\"__metadata__\":{\"format\":\"pt\"},";
        SafetensorsBytes.Edit(
            path, first, $$"""{{first}}"{{name}}":{"dtype":"F32","shape":[0],"data_offsets":[0,0]},""");
    }

    private static void Refused<TException>(TemporaryFolder folder, params string[] expected)
        where TException : Exception
    {
        var error = Assert.ThrowsExactly<TException>(() => CoLMModel.Load(folder.Path));
        foreach (var text in expected)
            Assert.Contains(text, error.Message);
    }
}
