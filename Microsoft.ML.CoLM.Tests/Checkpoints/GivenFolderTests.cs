using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

/// <summary>What people give in place of a model's folder: the message says what it is, and what to do.</summary>
[TestClass, DoNotParallelize]
public sealed class GivenFolderTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow("model.zip", "a zip", "mlContext.Model.Load")]
    [DataRow("model.safetensors", "Give the folder that it is in")]
    [DataRow("config.json", "Give the folder that it is in")]
    [DataRow("tokenizer.model", "Give the folder that it is in")]
    [DataRow("llama-q4.GGUF", "llama.cpp", "model that it was made from")]
    [DataRow("pytorch_model.bin", "PyTorch", "save_pretrained")]
    [DataRow("notes", "is a file", "config.json")]
    public void AFileIsNoFolder(string name, params string[] parts)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder[name], "something");
        Refused<DirectoryNotFoundException>(folder[name], [folder[name], .. parts]);
    }

    [TestMethod]
    [DataRow("meta-llama/Llama-3.2-1B", "hf download meta-llama/Llama-3.2-1B --local-dir Llama-3.2-1B")]
    [DataRow("gpt2", "no model folder 'gpt2'")]
    [DataRow("/nowhere/model", "no model folder '/nowhere/model'")]
    public void WhatDoesNotExistMayBeAHubsName(string path, string part) =>
        Refused<DirectoryNotFoundException>(path, part);

    [TestMethod]
    [DataRow("")]
    [DataRow("  ")]
    public void AnEmptyPathIsRefused(string path) =>
        Refused<ArgumentException>(path, "folder is empty", "config.json");

    [TestMethod]
    [DataRow("checkpoint-30.safetensors", "ResumeFrom")]
    [DataRow("llama.Q4_K_M.gguf", "not GGUF", "llama.Q4_K_M.gguf")]
    [DataRow("pytorch_model.bin", "pytorch_model.bin", "save_pretrained")]
    [DataRow("consolidated.00.pth", "consolidated.00.pth", "save_pretrained")]
    [DataRow("adapter_config.json", "merge_and_unload")]
    [DataRow("snapshots/0a1b/config.json", "cache", "0a1b")]
    [DataRow("inner/config.json", "inner")]
    public void AFolderOfSomethingElseSaysOfWhat(string name, params string[] parts)
    {
        using var folder = new TemporaryFolder();
        Directory.CreateDirectory(Path.GetDirectoryName(folder[name])!);
        File.WriteAllText(folder[name], "something");
        Refused<FileNotFoundException>(folder.Path, [folder.Path, .. parts]);
    }

    [TestMethod]
    public void AFolderOfPyTorchsWeightsWithItsConfigurationSaysSo()
    {
        using var folder = new TemporaryFolder();
        using (var model = TestModels.Random(TestModels.Config()))
            model.Save(folder.Path);
        File.Move(folder["model.safetensors"], folder["pytorch_model-00001-of-00002.bin"]);
        var error = Assert.ThrowsExactly<FileNotFoundException>(() => CoLMModel.Load(folder.Path));
        foreach (var part in (string[])["pytorch_model-00001-of-00002.bin", "save_pretrained", "model.safetensors"])
            Assert.Contains(part, error.Message);
    }

    // Wherever a model's folder is given.
    private void Refused<TException>(string path, params string[] parts)
        where TException : Exception
    {
        var rows = _mlContext.Rows("text");
        Action[] ways =
        [
            () => CoLMModel.Load(path),
            () => CoLMTokenizer.Load(path),
            () => _mlContext.Transforms.ElasticScoring(path).Fit(rows),
            () => _mlContext.Transforms.ChainExpansion(path, [4]).Fit(rows),
        ];
        foreach (var way in ways)
        {
            var error = Assert.ThrowsExactly<TException>(way);
            foreach (var part in parts)
                Assert.Contains(part, error.Message);
        }
    }
}
