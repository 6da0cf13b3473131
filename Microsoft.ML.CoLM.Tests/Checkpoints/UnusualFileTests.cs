using System.Net.Sockets;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Tests.Tokenizers;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

/// <summary>What may be found under a file's name: far too much, something that never ends, or nothing that answers.</summary>
[TestClass, DoNotParallelize]
public sealed class UnusualFileTests
{
    private const string Index = "model.safetensors.index.json";

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    public static IEnumerable<(string, string)> Places =>
        from name in (string[])["config.json", "model.safetensors", "chain-2.safetensors", "tokenizer.json",
            "tokenizer_config.json", "tokenizer.model", "colm-save.json", Index]
        from kind in (string[])["pipe", "folder", "device", "socket"]
        select (name, kind);

    public static IEnumerable<(string, long)> Limits =>
    [
        ("config.json", FileLimits.ConfigJson),
        ("tokenizer.json", FileLimits.TokenizerJson),
        ("tokenizer.model", FileLimits.TokenizerModel),
        ("tokenizer_config.json", FileLimits.TokenizerConfig),
        ("colm-save.json", FileLimits.SavePlan),
        (Index, FileLimits.ShardIndex),
    ];

    [TestMethod]
    [DynamicData(nameof(Places))]
    public async Task WhatIsNoOrdinaryFileIsRefusedByItsPathAtOnce(string name, string kind)
    {
        UnixOnly.Require();
        using var folder = Saved();
        if (name == Index)
            File.Delete(folder["model.safetensors"]);
        File.Delete(folder[name]);
        using var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        switch (kind)
        {
            case "pipe":
                UnixOnly.MakePipe(folder[name]);
                break;
            case "folder":
                Directory.CreateDirectory(folder[name]);
                break;
            case "device":
                File.CreateSymbolicLink(folder[name], "/dev/zero");
                break;
            default:
                socket.Bind(new UnixDomainSocketEndPoint(folder[name]));
                break;
        }
        var load = Task.Run(() => Assert.ThrowsExactly<InvalidDataException>(() => CoLMModel.Load(folder.Path)));
        Assert.Contains(folder[name], (await load.WaitAsync(Patience)).Message);
        if (!name.StartsWith("tokenizer", StringComparison.Ordinal))
            return;
        var read = Task.Run(() => Assert.ThrowsExactly<InvalidDataException>(() => CoLMTokenizer.Load(folder.Path)));
        Assert.Contains(folder[name], (await read.WaitAsync(Patience)).Message);
    }

    [TestMethod]
    [DynamicData(nameof(Limits))]
    public void AFileLongerThanAnyOfItsKindIsRefusedUnread(string name, long limit)
    {
        using var folder = Saved();
        if (name == Index)
            File.Delete(folder["model.safetensors"]);
        using (var file = File.Create(folder[name]))
            file.SetLength(limit + 1); // takes no room on the disk
        RefusedWithoutAllocating(folder, folder[name], $"{limit} bytes", $"{limit + 1}");
    }

    [TestMethod]
    public void AFileAsLongAsTheLimitIsRead()
    {
        using var folder = Saved();
        var json = File.ReadAllText(folder["config.json"]);
        File.WriteAllText(folder["config.json"], json.PadRight((int)FileLimits.ConfigJson));
        CoLMModel.Load(folder.Path).Dispose();
    }

    [TestMethod]
    public void AStreamOfUnknownLengthIsReadUpToTheLimitAndNoFurther()
    {
        Assert.HasCount(1000, BoundedFile.ReadAllBytes(new ForwardOnlyStream(new byte[1000]), 1000, "entry"));
        var endless = new ForwardOnlyStream(new byte[1_000_000]);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => BoundedFile.ReadAllBytes(endless, 1000, "entry"));
        foreach (var part in (string[])["entry", "1000 bytes"])
            Assert.Contains(part, error.Message);
    }

    [TestMethod]
    [DataRow("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 2147483647", "model.layers.2.input_layernorm")]
    [DataRow("\"vocab_size\": 40", "\"vocab_size\": 2147483647", "embed_tokens")]
    [DataRow("\"vocab_size\": 40", "\"vocab_size\": 4e9", "vocab_size")]
    [DataRow("\"hidden_size\": 16", "\"hidden_size\": 1073741824", "embed_tokens")]
    [DataRow("\"intermediate_size\": 24", "\"intermediate_size\": 1073741824", "gate_proj")]
    [DataRow("\"head_dim\": 4", "\"head_dim\": 268435456", "q_proj")]
    [DataRow("\"num_attention_heads\": 4", "\"num_attention_heads\": 1e999", "num_attention_heads")]
    public void NumbersOfAHugeModelAreRefusedBeforeMemoryIsTaken(string from, string to, string named)
    {
        using var folder = Saved();
        var json = File.ReadAllText(folder["config.json"]);
        Assert.Contains(from, json);
        File.WriteAllText(folder["config.json"], json.Replace(from, to, StringComparison.Ordinal));
        RefusedWithoutAllocating(folder, named);
    }

    [TestMethod]
    public void AMillionChainsOrTokensAreRefusedBeforeMemoryIsTaken()
    {
        using var folder = Saved();
        var json = File.ReadAllText(folder["config.json"]);
        var layout = System.Text.RegularExpressions.Regex.Match(json, @"""chains"": \[[\s\d,]*\]").Value;
        Assert.AreNotEqual("", layout);
        var many = string.Join(',', Enumerable.Repeat("4", 400_000));
        File.WriteAllText(folder["config.json"], json.Replace(layout, $"\"chains\":[{many}]", StringComparison.Ordinal));
        var error = RefusedWithoutAllocating(folder, "400000 chains");
        Assert.IsLessThan(1000, error.Message.Length);
        File.WriteAllText(folder["config.json"], $"{new string('[', 500_000)}{new string(']', 500_000)}");
        RefusedWithoutAllocating(folder, folder["config.json"], "not valid JSON");
    }

    [TestMethod]
    public void ATokenizerOfMoreValuesThanAnyHasIsRefusedBeforeTheyAreKept()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["tokenizer.json"], $$"""{"model":[{{new string('0', 1).PadRight(16_000_000).Replace("  ", ",0", StringComparison.Ordinal)}} 0]}""");
        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.ThrowsExactly<InvalidDataException>(() => CoLMTokenizer.Load(folder.Path));
        Assert.Contains("values", error.Message);
        Assert.IsLessThan(100_000_000, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    private static InvalidDataException RefusedWithoutAllocating(TemporaryFolder folder, params string[] expected)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.ThrowsExactly<InvalidDataException>(() => CoLMModel.Load(folder.Path));
        Assert.IsLessThan(40_000_000, GC.GetAllocatedBytesForCurrentThread() - before);
        foreach (var text in expected)
            Assert.Contains(text, error.Message);
        return error;
    }

    private static TemporaryFolder Saved()
    {
        var folder = new TemporaryFolder();
        using var model = TestModels.Random(TestModels.Config(4, 2));
        model.TokenizerFiles = TestTokenizers.Json(_ => { });
        model.Save(folder.Path);
        return folder;
    }
}
