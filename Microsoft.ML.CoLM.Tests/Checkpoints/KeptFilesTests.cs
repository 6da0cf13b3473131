using System.Text;
using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

[TestClass, DoNotParallelize]
public sealed class KeptFilesTests
{
    private static readonly string[] Kept =
        ["generation_config.json", "added_tokens.json", "special_tokens_map.json", "chat_template.jinja", "vocab.json", "merges.txt"];

    [TestMethod]
    public void FilesThatOtherToolsReadGoWithTheModelAndNoOthers()
    {
        using var first = new TemporaryFolder();
        using var second = new TemporaryFolder();
        using (var model = TextModels.Random(TextModels.Config(4)))
            model.Save(first.Path);
        WriteKept(first.Path);
        string[] others = ["README.md", "LICENSE", "LICENSE.txt"];
        foreach (var name in others)
            File.WriteAllText(first[name], "mine");

        using var loaded = CoLMModel.Load(first.Path);
        CollectionAssert.AreEqual(new[] { 3 }, loaded.EndTokenIds.ToArray());
        using var grown = loaded.Expand([4], kvSharing: true, seed: 1);
        grown.Save(second.Path);
        foreach (var name in Kept)
            CollectionAssert.AreEqual(File.ReadAllBytes(first[name]), File.ReadAllBytes(second[name]), name);
        foreach (var name in others)
            Assert.IsFalse(File.Exists(second[name]), name);

        // A model without them takes the place of one with them.
        using (var other = TextModels.Random(TextModels.Config(4)))
            other.Save(first.Path);
        foreach (var name in Kept)
            Assert.IsFalse(File.Exists(first[name]), name);
        foreach (var name in others)
            Assert.AreEqual("mine", File.ReadAllText(first[name]), name);
    }

    [TestMethod]
    public void TheyGoThroughGrowthTuningAndZipsByteForByte()
    {
        var mlContext = new MLContext(seed: 1);
        using var folder = new TemporaryFolder();
        using (var model = TextModels.Random(TextModels.Config(4)))
            model.Save(folder["first"]);
        WriteKept(folder["first"]);
        var growth = Expansion.Steps(1);
        (growth.ModelFolder, growth.AddedChains) = (folder["first"], [4]);
        using var grown = mlContext.Fit(growth);
        using var tuned = mlContext.Tune(Tuning.Steps(grown, steps: 1));
        tuned.Model.Save(folder["second"]);
        foreach (var name in Kept)
        {
            CollectionAssert.AreEqual(File.ReadAllBytes(Path.Combine(folder["first"], name)),
                File.ReadAllBytes(Path.Combine(folder["second"], name)), name);
        }

        mlContext.CoLM().Save(tuned, mlContext.Keyed().Schema, folder["model.zip"]);
        using var ofZip = (ElasticScoringTransformer)new MLContext().CoLM().Load(folder["model.zip"], out _);
        CollectionAssert.AreEqual(new[] { 3 }, ofZip.Model.EndTokenIds.ToArray());
        ofZip.Model.Save(folder["third"]);
        ModelAssert.SameFiles(folder["second"], folder["third"]);
    }

    [TestMethod]
    public void FoldersAndOldZipsWithoutThemAreRead()
    {
        var mlContext = new MLContext(seed: 1);
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(TextModels.Config(4));
        model.Save(folder["model"]);
        using var scorer = mlContext.Transforms.ElasticScoring(folder["model"]).Fit(mlContext.Rows("text"));
        mlContext.CoLM().Save(scorer, mlContext.Rows("text").Schema, folder["model.zip"]);
        OldZips.Write(folder["model.zip"], folder["old.zip"]);
        using var old = (ElasticScoringTransformer)mlContext.CoLM().Load(folder["old.zip"], out _);
        foreach (var loaded in (CoLMModel[])[scorer.Model, old.Model])
        {
            Assert.IsEmpty(loaded.KeptFiles.Files);
            CollectionAssert.AreEqual(model.Config.EosTokenIds.ToArray(), loaded.EndTokenIds.ToArray());
            loaded.Save(folder["again"]);
            ModelAssert.SameFiles(folder["model"], folder["again"]);
        }
    }

    [TestMethod]
    [DataRow("{")]
    [DataRow("[]")]
    [DataRow("""{"eos_token_id":"2"}""")]
    [DataRow("""{"eos_token_id":[2,"x"]}""")]
    public void ADamagedGenerationConfigIsRefusedByName(string content)
    {
        using var folder = new TemporaryFolder();
        using (var model = TextModels.Random(TextModels.Config(4)))
            model.Save(folder.Path);
        File.WriteAllText(folder["generation_config.json"], content, Encoding.UTF8);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => CoLMModel.Load(folder.Path));
        Assert.Contains("generation_config.json", error.Message);
    }

    private static void WriteKept(string folder)
    {
        foreach (var (number, name) in Kept.Index())
        {
            // What the tokenizer reads must be JSON; the spaces are this file's own.
            var content = name == "generation_config.json" ? "{\"eos_token_id\": 3}" : "{}";
            File.WriteAllText(Path.Combine(folder, name), content + new string(' ', number + 1));
        }
    }
}
