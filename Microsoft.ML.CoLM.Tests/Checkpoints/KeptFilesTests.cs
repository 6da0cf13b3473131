using System.Text;
using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

[TestClass]
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
        foreach (var name in Kept)
            File.WriteAllText(first[name], $$"""{"eos_token_id":3,"of":"{{name}}"}""");
        File.WriteAllText(first["README.md"], "mine");

        using var loaded = CoLMModel.Load(first.Path);
        CollectionAssert.AreEqual(new[] { 3 }, loaded.EndTokenIds.ToArray());
        using var grown = loaded.Expand([4], kvSharing: true, seed: 1);
        grown.Save(second.Path);
        foreach (var name in Kept)
            CollectionAssert.AreEqual(File.ReadAllBytes(first[name]), File.ReadAllBytes(second[name]), name);
        Assert.IsFalse(File.Exists(second["README.md"]));

        // A model without them takes the place of one with them.
        using (var other = TextModels.Random(TextModels.Config(4)))
            other.Save(first.Path);
        foreach (var name in Kept)
            Assert.IsFalse(File.Exists(first[name]), name);
        Assert.AreEqual("mine", File.ReadAllText(first["README.md"]));
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
}
