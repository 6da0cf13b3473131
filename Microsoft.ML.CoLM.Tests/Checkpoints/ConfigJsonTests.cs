using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Checkpoints;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

[TestClass, DoNotParallelize]
public sealed class ConfigJsonTests
{
    private const string Minimal =
        """
        {"model_type":"llama","vocab_size":40,"hidden_size":16,"intermediate_size":24,"num_hidden_layers":2,
         "num_attention_heads":4}
        """;

    // The settings of rope type llama3, and the end of the objects that they are in.
    private const string Llama3 =
        """
        "factor":2,"low_freq_factor":1,"high_freq_factor":4,"original_max_position_embeddings":64}}
        """;

    [TestMethod]
    public void SettingsThatAreLeftOutAreThoseOfTransformers()
    {
        var config = ConfigJson.Read(Minimal, "c");
        Assert.AreEqual("4", config.Layout.ToString());
        Assert.IsFalse(config.KvSharing);
        Assert.IsNull(config.KeyValueHeadCount);
        Assert.IsNull(config.HeadDimension);
        Assert.AreEqual(2048, config.ContextLength);
        Assert.AreEqual(1e-6, config.RmsNormEpsilon);
        Assert.AreEqual(10000, config.RopeTheta);
        Assert.IsNull(config.RopeScaling);
        Assert.IsFalse(config.TieWordEmbeddings);
        Assert.AreEqual(1, config.BosTokenId);
        CollectionAssert.AreEqual(new[] { 2 }, config.EosTokenIds.ToArray());
    }

    [TestMethod]
    public void EverySettingIsRead()
    {
        var config = ConfigJson.Read(With(Minimal,
            """
            {"num_key_value_heads":2,"head_dim":6,"max_position_embeddings":99,"rms_norm_eps":1e-05,"rope_theta":5e5,
             "tie_word_embeddings":true,"bos_token_id":null,"eos_token_id":[7,8],"architectures":["LlamaForCausalLM"],
             "rope_scaling":{"rope_type":"llama3","factor":8.0,"low_freq_factor":1.0,"high_freq_factor":4.0,
             "original_max_position_embeddings":64},"colm":{"version":1,"chains":[4,2],"kv_sharing":true}}
            """), "c");
        Assert.AreEqual("4,2", config.Layout.ToString());
        Assert.IsTrue(config.KvSharing);
        Assert.AreEqual(2, config.KeyValueHeadCount);
        Assert.AreEqual(6, config.HeadDimension);
        Assert.AreEqual(99, config.ContextLength);
        Assert.AreEqual(1e-5, config.RmsNormEpsilon);
        Assert.AreEqual(5e5, config.RopeTheta);
        Assert.IsTrue(config.TieWordEmbeddings);
        Assert.IsNull(config.BosTokenId);
        CollectionAssert.AreEqual(new[] { 7, 8 }, config.EosTokenIds.ToArray());
        Assert.AreEqual(new Llama3RopeScaling(8, 1, 4, 64), config.RopeScaling);
    }

    [TestMethod]
    [DataRow("""{"rope_parameters":{"rope_theta":7.0,"rope_type":"default"}}""", false)]
    [DataRow("""{"rope_parameters":{"rope_theta":7.0}}""", false)]
    [DataRow("""{"rope_theta":7.0,"rope_scaling":null}""", false)]
    [DataRow("""{"rope_theta":7.0,"rope_scaling":{"type":"default"}}""", false)]
    [DataRow("""{"rope_theta":7.0,"rope_scaling":{"type":"llama3",""" + Llama3, true)]
    [DataRow("""{"rope_parameters":{"rope_theta":7.0,"rope_type":"llama3",""" + Llama3, true)]
    [DataRow("""
        {"rope_theta":7.0,"rope_parameters":{"rope_type":"llama3","factor":2,"low_freq_factor":1,"high_freq_factor":4,
        "original_max_position_embeddings":64},"rope_scaling":{"type":"llama3",
        """ + Llama3, true)]
    public void TheRotarySettingsAreReadInTodaysAndEarlierForms(string settings, bool isScaled)
    {
        var config = ConfigJson.Read(With(Minimal, settings), "c");
        Assert.AreEqual(7, config.RopeTheta);
        Assert.AreEqual(isScaled ? new Llama3RopeScaling(2, 1, 4, 64) : null, config.RopeScaling);
    }

    [TestMethod]
    [DataRow("""{"architectures":["MistralForCausalLM"]}""")]
    [DataRow("""{"architectures":["MistralForCausalLM"],"sliding_window":null}""")]
    [DataRow("""{"architectures":["LlamaModel"],"sliding_window":4096}""")]
    [DataRow("""{"sliding_window":4096}""")]
    public void ALlamaThatIsNamedMistralIsReadWhereItHasNoWindow(string settings) =>
        AssertSame(ConfigJson.Read(Minimal, "c"), ConfigJson.Read(With(Minimal, settings), "c"));

    [TestMethod]
    [DataRow("128.0")]
    [DataRow("1.28e2")]
    public void TheOriginalContextMayBeWrittenAsAFraction(string number)
    {
        foreach (var type in (string[])["yarn", "llama3"])
        {
            string Settings(string original) => $$$"""
                {"rope_scaling":{"rope_type":"{{{type}}}","factor":2,"low_freq_factor":1,"high_freq_factor":4,
                 "original_max_position_embeddings":{{{original}}}}}
                """;
            AssertSame(ConfigJson.Read(With(Minimal, Settings("128")), "c"), ConfigJson.Read(With(Minimal, Settings(number)), "c"));
        }
    }

    [TestMethod]
    [DataRow("""{"model_type":"mistral"}""", "\"model_type\" must be \"llama\", found \"mistral\"")]
    [DataRow("""{"model_type":null}""", "\"model_type\" must be \"llama\", found none")]
    [DataRow("""{"architectures":["LlamaForSequenceClassification"]}""", "\"architectures\"")]
    [DataRow("""{"architectures":["MistralForCausalLM"],"sliding_window":4096}""", "\"sliding_window\" is 4096")]
    [DataRow("""{"architectures":["MistralForCausalLM"],"sliding_window":"4096"}""", "\"sliding_window\" must be a number")]
    [DataRow("""{"rope_scaling":{"type":"yarn","factor":2,"original_max_position_embeddings":128.5}}""",
        "\"rope_scaling.original_max_position_embeddings\" must be a whole number that fits 32 bits, found 128.5")]
    [DataRow("""{"rope_scaling":{"type":"yarn","factor":2,"original_max_position_embeddings":1e99}}""",
        "\"rope_scaling.original_max_position_embeddings\" must be a whole number that fits 32 bits, found 1")]
    [DataRow("""{"hidden_act":"SiLU"}""", "\"hidden_act\" must be \"silu\" or \"swish\", found \"SiLU\"")]
    [DataRow("""{"attention_bias":true}""", "\"attention_bias\" is true")]
    [DataRow("""{"mlp_bias":true}""", "\"mlp_bias\" is true")]
    [DataRow("""{"hidden_act":"gelu"}""", "\"hidden_act\" must be \"silu\" or \"swish\", found \"gelu\"")]
    [DataRow("""{"quantization_config":{"quant_method":"gptq"}}""", "\"quantization_config\"")]
    [DataRow("""{"rope_scaling":{"type":"longrope","factor":2.0}}""",
        "\"rope_scaling.rope_type\" must be \"default\", \"linear\", \"dynamic\", \"yarn\" or \"llama3\", found \"longrope\"")]
    [DataRow("""{"rope_scaling":{"type":"linear"}}""", "\"rope_scaling.factor\" is missing")]
    [DataRow("""{"rope_scaling":{"type":"dynamic","factor":0.5}}""", "\"rope_scaling.factor\" must be at least 1, found 0.5")]
    [DataRow("""{"rope_scaling":{"type":"linear","factor":1e300}}""", "\"max_position_embeddings\" is 2048, which with")]
    [DataRow("""{"rope_scaling":{"type":"yarn","factor":2,"beta_fast":1,"beta_slow":2}}""", "\"rope_scaling.beta_fast\"")]
    [DataRow("""{"rope_scaling":{"type":"yarn","factor":2,"attention_factor":0}}""", "\"rope_scaling.attention_factor\"")]
    [DataRow("""{"rope_scaling":{"factor":2.0}}""", "\"rope_scaling.rope_type\"")]
    [DataRow("""{"rope_parameters":{"rope_type":"yarn","rope_theta":1.0}}""", "\"rope_parameters.factor\" is missing")]
    [DataRow("""{"rope_parameters":{"rope_type":"llama3","rope_theta":1.0}}""",
        "\"rope_parameters.factor\" is missing")]
    [DataRow(
        """
        {"rope_scaling":{"type":"llama3","factor":2,"low_freq_factor":4,"high_freq_factor":4,
         "original_max_position_embeddings":64}}
        """, "high_freq_factor")]
    [DataRow("""{"rope_parameters":{"rope_type":"default"},"rope_scaling":{"type":"llama3",""" + Llama3,
        "\"rope_scaling\" says something else")]
    [DataRow("""{"partial_rotary_factor":0.5}""", "\"partial_rotary_factor\" is 0.5")]
    [DataRow("""{"hidden_size":"16"}""", "\"hidden_size\" must be a whole number that fits 32 bits, found \"16\".")]
    [DataRow("""{"hidden_size":16.5}""", "\"hidden_size\" must be a whole number that fits 32 bits, found ")]
    [DataRow("""{"hidden_size":99999999999}""", "\"hidden_size\" must be a whole number that fits 32 bits, found ")]
    [DataRow("""{"hidden_size":null}""", "\"hidden_size\" is missing")]
    [DataRow("""{"hidden_size":-16}""", "HiddenSize must be at least 1")]
    [DataRow("""{"num_attention_heads":0}""", "head")]
    [DataRow("""{"num_attention_heads":3}""", "not divisible")]
    [DataRow("""{"tie_word_embeddings":"yes"}""", "\"tie_word_embeddings\" must be true or false")]
    [DataRow("""{"rms_norm_eps":"small"}""", "\"rms_norm_eps\" must be a number")]
    [DataRow("""{"rope_theta":0}""", "RopeTheta")]
    [DataRow("""{"eos_token_id":[1,"2"]}""", "\"eos_token_id\"")]
    [DataRow("""{"colm":{"version":3,"chains":[4],"kv_sharing":true}}""",
        "\"colm.version\" must be 1 or 2, the ones this library reads, found 3")]
    [DataRow("""{"colm":{"version":2,"chains":[4],"kv_sharing":true}}""",
        "\"colm.weight_formats\" must name a format, or null, for each of the 1 chains of \"version\" 2; found 0")]
    [DataRow("""{"colm":{"chains":[4],"kv_sharing":true}}""", "\"colm.version\" is missing")]
    [DataRow("""{"colm":{"version":1,"kv_sharing":true}}""", "\"colm.chains\" is missing")]
    [DataRow("""{"colm":{"version":1,"chains":[4,2]}}""", "\"colm.kv_sharing\" is missing")]
    [DataRow("""{"colm":{"version":1,"chains":[2,4],"kv_sharing":true}}""",
        "\"colm.chains\" begins with 2, but the first chain's \"num_attention_heads\" is 4")]
    [DataRow("""{"colm":{"version":1,"chains":[],"kv_sharing":true}}""", "at least one chain")]
    [DataRow("""{"colm":{"version":1,"chains":[4,0],"kv_sharing":true}}""", "chain 2 has 0")]
    [DataRow("""{"colm":{"version":1,"chains":[4,3],"kv_sharing":true},"num_key_value_heads":2}""",
        "chain 2 has 3 heads")]
    [DataRow("""{"colm":{"version":1,"chains":[4,1],"kv_sharing":false},"intermediate_size":26}""",
        "IntermediateSize 26")]
    public void WhatIsNotComputedOrNotValidIsRefusedByName(string settings, string expected)
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(
            () => ConfigJson.Read(With(Minimal, settings), "/models/x/config.json"));
        Assert.StartsWith("/models/x/config.json: ", error.Message);
        Assert.Contains(expected, error.Message);
    }

    [TestMethod]
    [DataRow("vocab_size")]
    [DataRow("hidden_size")]
    [DataRow("intermediate_size")]
    [DataRow("num_hidden_layers")]
    [DataRow("num_attention_heads")]
    public void ASizeThatIsLeftOutIsRefusedByName(string name)
    {
        var root = JsonNode.Parse(Minimal)!.AsObject();
        root.Remove(name);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => ConfigJson.Read(root.ToJsonString(), "c"));
        Assert.AreEqual($"c: \"{name}\" is missing.", error.Message);
    }

    [TestMethod]
    [DataRow("{")]
    [DataRow("[]")]
    [DataRow("")]
    [DataRow("""{"model_type":"llama","model_type":"llama"}""")]
    [DataRow("""{"model_type":"\ud800"}""")]
    public void TextThatIsNoJsonObjectIsRefused(string json)
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => ConfigJson.Read(json, "c"));
        Assert.StartsWith("c: ", error.Message);
    }

    [TestMethod]
    public void AConfigurationThatHasNotChangedIsWrittenAsItWasRead()
    {
        const string odd = " { \"model_type\":\"llama\",\"vocab_size\": 40 ,\"hidden_size\":16,\n" +
            "\"intermediate_size\":24,\"num_hidden_layers\":2,\"num_attention_heads\":4, \"rms_norm_eps\": 1.0e-5,\t" +
            "\"dtype\":\"float32\"}\n\n";
        Assert.AreEqual(odd, ConfigJson.Write(ConfigJson.Read(odd, "c"), ScalarType.Float32));
    }

    [TestMethod]
    public void SettingsThatThisLibraryDoesNotKnowSurviveAChange()
    {
        var source = With(Minimal, """{"my_setting":{"a":[1,2.50,"é"]},"torch_dtype":"float32"}""");
        var config = ConfigJson.Read(source, "c") with { Layout = new ChainLayout(4, 2), KvSharing = true };
        var written = JsonNode.Parse(ConfigJson.Write(config, ScalarType.BFloat16))!;

        var expected = JsonNode.Parse(source)!;
        expected["torch_dtype"] = "bfloat16";
        expected["colm"] = JsonNode.Parse("""{"version":1,"chains":[4,2],"kv_sharing":true}""");
        Assert.AreEqual(expected.ToJsonString(), written.ToJsonString());
    }

    [TestMethod]
    [DataRow("dtype")]
    [DataRow("torch_dtype")]
    public void TheTypeIsWrittenUnderTheNameThatTheSourceUsed(string key)
    {
        var source = With(Minimal, $$"""{"{{key}}":"float32"}""");
        var json = ConfigJson.Write(ConfigJson.Read(source, "c"), ScalarType.Float16);
        Assert.AreEqual(With(Minimal, $$"""{"{{key}}":"float16"}"""), JsonNode.Parse(json)!.ToJsonString());
        Assert.AreEqual(ScalarType.Float16, ConfigJson.ReadDataType(json, "c"));
    }

    [TestMethod]
    public void ATypeThatNoWeightsHaveIsRefusedByName()
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(
            () => ConfigJson.ReadDataType("""{"dtype":"float64"}""", "c"));
        Assert.Contains("\"dtype\" must be float32, bfloat16 or float16, found \"float64\"", error.Message);
    }

    [TestMethod]
    public void EverySettingThatChangesIsWritten()
    {
        var source = ConfigJson.Read(
            With(Minimal, """{"rope_parameters":{"rope_type":"default","rope_theta":1e4}}"""), "c");
        var changed = new CoLMConfig
        {
            Layout = new ChainLayout(2, 4),
            KvSharing = true,
            VocabularySize = 50,
            HiddenSize = 32,
            IntermediateSize = 48,
            LayerCount = 3,
            KeyValueHeadCount = 1,
            HeadDimension = 10,
            ContextLength = 128,
            RmsNormEpsilon = 1e-3,
            RopeTheta = 50000,
            RopeScaling = new Llama3RopeScaling(8, 1, 4, 64),
            TieWordEmbeddings = true,
            BosTokenId = null,
            EosTokenIds = [3, 4],
            SourceJson = source.SourceJson,
        };
        var json = ConfigJson.Write(changed, ScalarType.Float32);
        AssertSame(changed, ConfigJson.Read(json, "c"));
        Assert.IsFalse(JsonNode.Parse(json)!.AsObject().ContainsKey("rope_scaling"), "Only one form may remain.");
    }

    [TestMethod]
    public void ANewConfigurationIsOneOfHuggingFaces()
    {
        var config = TestModels.Config() with { RopeTheta = 10000, BosTokenId = null, EosTokenIds = [] };
        var json = ConfigJson.Write(config, ScalarType.BFloat16);
        var root = JsonNode.Parse(json)!.AsObject();
        Assert.AreEqual("llama", (string?)root["model_type"]);
        Assert.AreEqual("LlamaForCausalLM", (string?)root["architectures"]![0]);
        Assert.AreEqual("silu", (string?)root["hidden_act"]);
        Assert.AreEqual("bfloat16", (string?)root["torch_dtype"]);
        Assert.IsTrue(root.ContainsKey("bos_token_id"), "Left out, it would be 1.");
        Assert.IsTrue(root.ContainsKey("eos_token_id"), "Left out, it would be 2.");
        Assert.IsFalse(root.ContainsKey("colm"), "One chain is an ordinary LLaMA.");
        Assert.Contains("\"rope_theta\": 10000.0", json);
        AssertSame(config, ConfigJson.Read(json, "c"));
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void ANewConfigurationOfSeveralChainsReadsBackAsItWas(bool isScaled)
    {
        var config = TestModels.Config(4, 2) with
        {
            KvSharing = true,
            HeadDimension = 6,
            TieWordEmbeddings = true,
            RmsNormEpsilon = 1.25e-5,
            RopeScaling = isScaled ? new Llama3RopeScaling(8, 1, 4, 64) : null,
        };
        AssertSame(config, ConfigJson.Read(ConfigJson.Write(config, ScalarType.Float32), "c"));
    }

    private static void AssertSame(CoLMConfig expected, CoLMConfig actual)
    {
        CollectionAssert.AreEqual(expected.EosTokenIds.ToArray(), actual.EosTokenIds.ToArray());
        // Explicit values of what follows from others, and the text, are no difference.
        static CoLMConfig Normal(CoLMConfig config) => config with
        {
            EosTokenIds = [],
            SourceJson = null,
            HeadDimension = config.HeadWidth,
            KeyValueHeadCount = config.KeyValueHeads(0),
        };
        Assert.AreEqual(Normal(expected), Normal(actual));
    }

    private static string With(string json, string settings)
    {
        var root = JsonNode.Parse(json)!.AsObject();
        foreach (var (name, value) in JsonNode.Parse(settings)!.AsObject())
            root[name] = value?.DeepClone();
        return root.ToJsonString();
    }
}
