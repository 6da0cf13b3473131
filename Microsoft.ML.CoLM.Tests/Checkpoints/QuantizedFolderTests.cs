using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

/// <summary>Folders of models with quantised chains.</summary>
[TestClass, DoNotParallelize]
public sealed class QuantizedFolderTests
{
    private static readonly WeightFormat?[] Mixed = [WeightFormat.Int4, null, WeightFormat.Int8];

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void AFolderKeepsEveryBit(bool isTied)
    {
        using var folder = new TemporaryFolder();
        using var model = Source(isTied).Quantize(Mixed);
        model.Save(folder.Path);
        CollectionAssert.AreEqual(
            new[] { "chain-1.safetensors", "chain-2.safetensors", "chain-3.safetensors", "config.json" },
            TemporaryFolder.Contents(folder.Path).Keys);
        using var loaded = CoLMModel.Load(folder.Path);
        CollectionAssert.AreEqual(Mixed, loaded.Config.WeightFormats.ToArray());
        ModelAssert.SameWeights(model, loaded);
        using var again = new TemporaryFolder();
        loaded.Save(again.Path);
        ModelAssert.SameFiles(folder.Path, again.Path);
        using var bfloat16 = CoLMModel.Load(folder.Path, dtype: ScalarType.BFloat16);
        Assert.AreEqual(ScalarType.BFloat16, bfloat16.DataType);
        Assert.AreEqual(model.ParameterCount(3), CoLMModel.Inspect(folder.Path).ParameterCount(3));
        Assert.AreEqual(ScalarType.Float32, CoLMModel.Inspect(folder.Path).DataTypes[0]);
    }

    [TestMethod]
    public void FewerChainsAreLoadedAndSavedAlone()
    {
        using var folder = new TemporaryFolder();
        using var model = Source(isTied: true).Quantize(null, WeightFormat.Int4, WeightFormat.Int8);
        model.Save(folder.Path);
        File.Delete(folder["chain-3.safetensors"]);
        using var two = CoLMModel.Load(folder.Path, chainCount: 2);
        ModelAssert.SameWeights(model, two);
        two.Save(folder.Path, chainCount: 1);
        // What is left is a LLaMA like any other.
        CollectionAssert.AreEqual(new[] { "config.json", "model.safetensors" }, TemporaryFolder.Contents(folder.Path).Keys);
        Assert.AreEqual(1, (int)Colm(folder)["version"]!);
        Assert.IsFalse(Colm(folder).ContainsKey("weight_formats"));
    }

    [TestMethod]
    public void OtherToolsFindNoFirstChainThatTheyWouldMisread()
    {
        using var folder = new TemporaryFolder();
        using var source = TestModels.Random(TestModels.Config(4));
        source.Save(folder.Path);
        using var model = source.Quantize(WeightFormat.Int8);
        model.Save(folder.Path);
        CollectionAssert.AreEqual(new[] { "chain-1.safetensors", "config.json" }, TemporaryFolder.Contents(folder.Path).Keys);
        // Versions of this library that know of no quantised chains read 1 alone.
        Assert.AreEqual(2, (int)Colm(folder)["version"]!);
        Assert.AreEqual("int8", (string?)Colm(folder)["weight_formats"]![0]);
        source.Save(folder.Path);
        CollectionAssert.AreEqual(new[] { "config.json", "model.safetensors" }, TemporaryFolder.Contents(folder.Path).Keys);
    }

    [TestMethod]
    [DataRow(ScalarType.Float32)]
    [DataRow(ScalarType.BFloat16)]
    public void QuantisingWhileLoadingGivesTheSameBits(ScalarType stored)
    {
        using var folder = new TemporaryFolder();
        using var source = TestModels.Random(TestModels.Config(4, 4, 2), dtype: stored);
        source.Save(folder.Path);
        using var model = source.Quantize(WeightFormat.Int4);
        using var loaded = CoLMModel.LoadQuantized(folder.Path, [WeightFormat.Int4]);
        ModelAssert.SameWeights(model, loaded);
        using var mixed = source.Quantize(Mixed);
        using var loadedMixed = CoLMModel.LoadQuantized(folder.Path, Mixed);
        ModelAssert.SameWeights(mixed, loadedMixed);
        using var first = CoLMModel.LoadQuantized(folder.Path, [WeightFormat.Int4], chainCount: 1);
        ModelAssert.SameWeights(model, first);
        Refused<ArgumentException>("each of the 3 chains", () => CoLMModel.LoadQuantized(folder.Path, [null, null]));
        model.Save(folder.Path);
        Refused<ArgumentException>("Chain 1 is quantised already", () => CoLMModel.LoadQuantized(folder.Path, [WeightFormat.Int4]));
    }

    [TestMethod]
    public void NumbersThatAreNotFiniteAreNotQuantised()
    {
        using var folder = new TemporaryFolder();
        using var source = TestModels.Random(TestModels.Config(4));
        using (no_grad())
            source.Layers[1].Attention.Query.Weight(0)[3, 5] = float.NaN;
        source.Save(folder.Path);
        Refused<InvalidDataException>(
            "model.layers.1.self_attn.q_proj.weight", () => CoLMModel.LoadQuantized(folder.Path, [WeightFormat.Int8]));
    }

    [TestMethod]
    [DataRow("\"weight_formats\": [", "\"weight_formats\": [null, ", "for each of the 3 chains of \"version\" 2; found 4")]
    [DataRow("\"int4\"", "\"int5\"", "\"int8\", \"int4\" or null, found \"int5\"")]
    [DataRow("\"int4\"", "4", "must be a string")]
    [DataRow("\"version\": 2", "\"version\": 3", "must be 1 or 2")]
    [DataRow("\"version\": 2", "\"version\": 1", "is for \"version\" 2, found 1")]
    [DataRow("\"weight_formats\"", "\"formats\"", "for each of the 3 chains of \"version\" 2; found 0")]
    [DataRow("\"int4\"", "\"int8\"", "model.embed_tokens.weight")]
    [DataRow("\"int8\"", "null", "belongs to quantised weights")]
    public void AWrongConfigurationIsRefused(string from, string to, string what)
    {
        using var folder = new TemporaryFolder();
        using var model = Source(isTied: true).Quantize(Mixed);
        model.Save(folder.Path);
        var json = File.ReadAllText(folder["config.json"]);
        Assert.Contains(from, json);
        File.WriteAllText(folder["config.json"], json.Replace(from, to, StringComparison.Ordinal));
        Refused<InvalidDataException>(what, () => CoLMModel.Load(folder.Path));
    }

    [TestMethod]
    [DataRow("\"model.norm.weight\":{\"dtype\":\"F32\",\"shape\":[16]", "\"model.norm.weight\":{\"dtype\":\"F32\",\"shape\":[4,4]", "model.norm.weight")]
    [DataRow("\"model.embed_tokens.weight_scale\"", "\"model.embed_tokens.weight_scales\"", "model.embed_tokens.weight_scale")]
    [DataRow("\"dtype\":\"U8\"", "\"dtype\":\"I8\"", "has element type I8; Int4 weights have U8 here")]
    [DataRow("\"model.embed_tokens.weight\":{\"dtype\":\"U8\",\"shape\":[40,16]", "\"model.embed_tokens.weight\":{\"dtype\":\"U8\",\"shape\":[16,40]", "has shape [16, 40]")]
    [DataRow("\"model.embed_tokens.weight_scale\":{\"dtype\":\"BF16\"", "\"model.embed_tokens.weight_scale\":{\"dtype\":\"F16\"", "Int4 weights have BF16 here")]
    public void WrongTensorsAreRefused(string from, string to, string what)
    {
        using var folder = new TemporaryFolder();
        using var model = Source(isTied: true).Quantize(Mixed);
        model.Save(folder.Path);
        SafetensorsBytes.Edit(folder["chain-1.safetensors"], from, to);
        Refused<InvalidDataException>(what, () => CoLMModel.Load(folder.Path));
    }

    [TestMethod]
    [DataRow(0f, "scales that are zero")]
    [DataRow(float.NaN, "NaN or infinite")]
    [DataRow(float.NegativeInfinity, "NaN or infinite")]
    public void DamagedScalesAreRefused(float scale, string what)
    {
        using var folder = new TemporaryFolder();
        using var model = Source(isTied: true).Quantize(Mixed);
        using (no_grad())
        {
            var scales = model.ChainParameters().First(entry => entry.name == "layers.1.mlp.gate_proj.chain_3.scales").parameter;
            scales[2, 0] = scale;
        }
        model.Save(folder.Path);
        var error = Refused<InvalidDataException>(what, () => CoLMModel.Load(folder.Path));
        Assert.Contains("chain-3.safetensors", error.Message);
        Assert.Contains("model.layers.1.mlp.gate_proj.weight_scale", error.Message);
    }

    [TestMethod]
    public void ATruncatedFileIsRefused()
    {
        using var folder = new TemporaryFolder();
        using var model = Source(isTied: true).Quantize(Mixed);
        model.Save(folder.Path);
        var bytes = File.ReadAllBytes(folder["chain-1.safetensors"]);
        File.WriteAllBytes(folder["chain-1.safetensors"], bytes[..^7]);
        Refused<InvalidDataException>("chain-1.safetensors", () => CoLMModel.Load(folder.Path));
        File.Delete(folder["chain-1.safetensors"]);
        var error = Assert.ThrowsExactly<FileNotFoundException>(() => CoLMModel.Load(folder.Path));
        Assert.Contains("has no chain-1.safetensors, the weights of chain 1 of 3", error.Message);
    }

    private static T Refused<T>(string what, Func<CoLMModel> load)
        where T : Exception
    {
        var error = Assert.ThrowsExactly<T>(() => load());
        Assert.Contains(what, error.Message);
        return error;
    }

    private static JsonObject Colm(TemporaryFolder folder) =>
        JsonNode.Parse(File.ReadAllText(folder["config.json"]))!["colm"]!.AsObject();

    private static CoLMModel Source(bool isTied) =>
        TestModels.Random(TestModels.Config(4, 4, 2) with { TieWordEmbeddings = isTied });
}
