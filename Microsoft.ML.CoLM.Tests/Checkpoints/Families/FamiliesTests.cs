using System.Text;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Checkpoints.Families;

/// <summary>Checkpoints that people download load, and <c>CHECKPOINTS.md</c> says which.</summary>
[TestClass, DoNotParallelize]
public sealed class FamiliesTests
{
    private const string WritePage = "COLM_WRITE_CHECKPOINTS";

    public static IEnumerable<object[]> FamilyNames => FamilyList.Families.Select(family => new object[] { family.Name });

    public static IEnumerable<object[]> RefusalNames => RefusalList.Refusals.Select(refusal => new object[] { refusal.What });

    [TestMethod]
    [DynamicData(nameof(FamilyNames))]
    public void EachConfigurationHasThePublishedNumberOfParameters(string name)
    {
        foreach (var model in FamilyOf(name).Models)
        {
            var warnings = new List<string>();
            var config = ConfigJson.Read(model.Config.ToJsonString(), model.Name, warnings);
            Assert.AreEqual(model.Parameters, CheckpointsPage.ParametersOf(config), model.Name);
            Assert.IsEmpty(warnings, model.Name);
        }
    }

    [TestMethod]
    [DynamicData(nameof(FamilyNames))]
    public void EachTextHasTheIdsOfTransformersAndDecodesAsThere(string name)
    {
        var family = FamilyOf(name);
        using var folder = new TemporaryFolder();
        FamilyList.WriteTokenizer(family, folder);
        var tokenizer = CoLMTokenizer.Load(folder.Path);
        for (var i = 0; i < FamilyList.Texts.Count; i++)
        {
            var text = FamilyList.Texts[i];
            CollectionAssert.AreEqual(family.Ids[i], tokenizer.EncodeToIds(text).ToArray(), text);
            Assert.AreEqual(family.Decoded.GetValueOrDefault($"{i}", text), tokenizer.Decode(family.Ids[i]));
        }
    }

    [TestMethod]
    [DynamicData(nameof(RefusalNames))]
    public void EachRefusalSaysWhatThePageSays(string what)
    {
        var refusal = RefusalList.Refusals.Single(refusal => refusal.What == what);
        using var folder = new TemporaryFolder();
        using (var model = TextModels.Random(4))
            model.Save(folder.Path);
        CoLMModel.Inspect(folder.Path);
        refusal.Make(folder);
        var error = Assert.Throws<Exception>(() => CoLMModel.Inspect(folder.Path));
        Assert.IsTrue(error is InvalidDataException or FileNotFoundException, $"{error}");
        Assert.Contains(refusal.Gist, error.Message);
    }

    [TestMethod]
    public void ThePageIsWhatTheLibraryDoes()
    {
        var path = Path.Combine(SharedData.RepositoryRoot(), "Microsoft.ML.CoLM", "CHECKPOINTS.md");
        var page = CheckpointsPage.Write(FamilyList.Families, RefusalList.Refusals);
        if (Environment.GetEnvironmentVariable(WritePage) == "1")
            File.WriteAllText(path, page, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false));
        var written = File.Exists(path) ? File.ReadAllText(path).ReplaceLineEndings("\n") : "";
        Assert.AreEqual(page, written, $"{path} is not what the library does; run this test with {WritePage}=1 to write it anew.");
    }

    private static Family FamilyOf(string name) => FamilyList.Families.Single(family => family.Name == name);
}
