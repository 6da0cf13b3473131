using System.Text;
using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Tests.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Checkpoints.Families;

/// <summary>Folders that people have and that do not load, each with the reason that is given.</summary>
internal static class RefusalList
{
    private const string Config = "config.json";
    private const string Tokenizer = "tokenizer.json";

    public static IReadOnlyList<Refusal> Refusals { get; } =
    [
        new("another model type", "Mistral, Qwen, Gemma, Phi, Mixtral as they are published",
            In(Config, json => json["model_type"] = "mistral"), "\"model_type\" must be \"llama\", found \"mistral\""),
        new("another task's architecture", "LLaMA for sequence classification",
            In(Config, json => json["architectures"] = new JsonArray("LlamaForSequenceClassification")),
            "\"architectures\" must be [\"LlamaForCausalLM\"]"),
        new("biases in attention", "",
            In(Config, json => json["attention_bias"] = true), "\"attention_bias\" is true, and layers with biases are not supported"),
        new("biases in the feed-forward layers", "", In(Config, json => json["mlp_bias"] = true),
            "\"mlp_bias\" is true, and layers with biases are not supported"),
        new("another activation", "", In(Config, json => json["hidden_act"] = "gelu"),
            "\"hidden_act\" must be \"silu\" or \"swish\", found \"gelu\""),
        new("quantised weights", "GPTQ, AWQ, bitsandbytes, FP8",
            In(Config, json => json["quantization_config"] = new JsonObject { ["quant_method"] = "gptq" }),
            "\"quantization_config\" is set, and quantised weights are not supported"),
        new("rope type longrope", "", Rope("longrope"),
            "\"default\", \"linear\", \"dynamic\", \"yarn\" or \"llama3\", found \"longrope\""),
        new("a rotated part of each head", "", In(Config, json => json["partial_rotary_factor"] = 0.5),
            "\"partial_rotary_factor\" is 0.5, and rotating a part of each head is not supported"),
        new("PyTorch's weights", "older uploads with `pytorch_model.bin` alone", Weights("pytorch_model.bin"),
            "Only safetensors are read, not PyTorch's own files (pytorch_model.bin)"),
        new("GGUF's weights", "llama.cpp, Ollama", Weights("model.Q4_K_M.gguf"),
            "Only safetensors are read, not GGUF (model.Q4_K_M.gguf)"),
        new("adapters without their model", "LoRA uploads of peft", Weights("adapter_config.json"),
            "It has adapters without their model"),
        new("a Unigram tokenizer", "", In(Tokenizer, json => json["model"]!["type"] = "Unigram"),
            "model.type: expected \"BPE\""),
        new("a WordPiece tokenizer", "", In(Tokenizer, json => json["model"]!["type"] = "WordPiece"),
            "model.type: expected \"BPE\""),
        new("tokens that depend on chance", "", In(Tokenizer, json => json["model"]!["dropout"] = 0.1),
            "model.dropout: expected null or 0: tokens must not depend on chance"),
        new("a Unigram model of SentencePiece", "", Pieces(new SentencePieceBytes { ModelType = 1 }.ToArray()),
            "trainer_spec.model_type: expected bpe, found unigram"),
        new("SentencePiece without byte fallback", "", Pieces(new SentencePieceBytes { ByteFallback = false }.ToArray()),
            "trainer_spec.byte_fallback: expected true, found false"),
        new("a tiktoken vocabulary alone", "Meta's own downloads of Llama 3", Pieces(Encoding.ASCII.GetBytes("IQ== 0\nIg== 1\n")),
            "not a SentencePiece model but a tiktoken vocabulary"),
    ];

    private static Action<TemporaryFolder> In(string name, Action<JsonNode> change) => folder =>
    {
        var json = JsonNode.Parse(File.ReadAllText(folder[name]))!;
        change(json);
        File.WriteAllText(folder[name], json.ToJsonString());
    };

    private static Action<TemporaryFolder> Rope(string type) => In(Config,
        json => json["rope_scaling"] = new JsonObject { ["rope_type"] = type, ["factor"] = 2.0 });

    private static Action<TemporaryFolder> Weights(string name) =>
        folder => File.Move(folder["model.safetensors"], folder[name]);

    private static Action<TemporaryFolder> Pieces(byte[] content) => folder =>
    {
        File.Delete(folder[Tokenizer]);
        File.WriteAllBytes(folder["tokenizer.model"], content);
    };
}
