using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

/// <summary>Folders as a stranger may give them: nothing outside them is changed, and inside them only a model's files.</summary>
[TestClass, DoNotParallelize]
public sealed class ForeignFolderTests
{
    private const string Suffix = ".0123456789abcdef0123456789abcdef.colm-tmp";

    [TestInitialize]
    public void RequireUnix() => UnixOnly.Require();

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void ALinkInTheLocksPlaceIsNotFollowedByALoadThatFinishesASave(bool isThere)
    {
        using var folder = Saved();
        using var outside = new TemporaryFolder();
        if (isThere)
            File.WriteAllBytes(outside["victim"], new byte[3_000_000]);
        File.CreateSymbolicLink(folder[FolderLock.FileName], outside["victim"]);
        Plan(folder, rename: ["config.json"], delete: []);
        File.Copy(folder["config.json"], folder["config.json" + Suffix]);
        var error = Assert.ThrowsExactly<IOException>(() => CoLMModel.Load(folder.Path));
        Assert.Contains(folder[FolderLock.FileName], error.Message);
        if (isThere)
            Assert.IsTrue(File.ReadAllBytes(outside["victim"]).AsSpan().SequenceEqual(new byte[3_000_000]));
        else
            Assert.IsFalse(Path.Exists(outside["victim"]));
    }

    [TestMethod]
    [DataRow("link")]
    [DataRow("dangling link")]
    [DataRow("hard link")]
    [DataRow("pipe")]
    [DataRow("folder")]
    [DataRow("device")]
    public void WhateverIsInTheLocksPlaceASaveChangesNothingElsewhere(string kind)
    {
        using var folder = Saved();
        using var outside = new TemporaryFolder();
        File.WriteAllText(outside["victim"], "mine");
        var path = folder[FolderLock.FileName];
        Make(kind, path, outside);
        using var model = TestModels.Random(TestModels.Config(4, 2), seed: 2);
        if (kind == "hard link")
        {
            model.Save(folder.Path); // a file like any other, which is locked and then loses this name
        }
        else
        {
            var before = Describe(folder.Path);
            Assert.Contains(path, Assert.ThrowsExactly<IOException>(() => model.Save(folder.Path)).Message);
            Assert.AreEqual(before, Describe(folder.Path));
        }
        CollectionAssert.AreEqual(new[] { "victim" }, TemporaryFolder.Contents(outside.Path).Keys);
        Assert.AreEqual("mine", File.ReadAllText(outside["victim"]));
    }

    [TestMethod]
    [DataRow("link")]
    [DataRow("dangling link")]
    [DataRow("hard link")]
    [DataRow("link to a folder")]
    [DataRow("pipe")]
    public void WhateverHasAModelFilesNameASaveReplacesTheNameAlone(string kind)
    {
        using var folder = new TemporaryFolder();
        using var outside = new TemporaryFolder();
        using var model = TestModels.Random(TestModels.Config(4, 2));
        File.WriteAllText(outside["victim"], "mine");
        string[] names = ["config.json", "model.safetensors", "chain-2.safetensors", "chain-3.safetensors"];
        foreach (var name in names)
            Make(kind, folder[name], outside);
        model.Save(folder.Path);
        using var loaded = CoLMModel.Load(folder.Path);
        ModelAssert.SameWeights(model, loaded);
        Assert.IsTrue(names[..3].All(name => new FileInfo(folder[name]) is { Exists: true, LinkTarget: null }));
        CollectionAssert.AreEqual(new[] { "victim" }, TemporaryFolder.Contents(outside.Path).Keys);
        Assert.AreEqual("mine", File.ReadAllText(outside["victim"]));
    }

    [TestMethod]
    public void TheTemporaryFilesOfOthersStayAndLinksAmongThemAreNotFollowed()
    {
        using var folder = Saved();
        using var outside = new TemporaryFolder();
        File.WriteAllText(outside["victim"], "mine");
        string[] others = ["notes.colm-tmp", $"notes.txt{Suffix}", "model.safetensors.colm-tmp", Suffix];
        foreach (var name in others)
            File.WriteAllText(folder[name], "theirs");
        File.CreateSymbolicLink(folder[$"config.json{Suffix}"], outside["victim"]);
        using var model = TestModels.Random(TestModels.Config(4, 2), seed: 2);
        model.Save(folder.Path);
        foreach (var name in others)
            Assert.AreEqual("theirs", File.ReadAllText(folder[name]));
        Assert.IsFalse(Path.Exists(folder[$"config.json{Suffix}"]));
        Assert.AreEqual("mine", File.ReadAllText(outside["victim"]));
    }

    [TestMethod]
    [DataRow("notes.txt")]
    [DataRow("config.json")]
    [DataRow("training.safetensors")]
    [DataRow("checkpoint-1.safetensors")]
    [DataRow("colm-save.lock")]
    [DataRow("tokenizer.json\n")]
    [DataRow("model.safetensors", "model.safetensors")]
    public void APlanThatDeletesOrRenamesWhatIsNoModelFileIsRefusedAndNothingIsDone(
        string delete, string rename = "config.json")
    {
        using var folder = Saved();
        File.WriteAllText(folder["notes.txt"], "mine");
        File.WriteAllText(folder["training.safetensors"], "mine");
        foreach (var (toRename, toDelete) in new[] { (rename, delete), (delete == "config.json" ? "x" : delete, null) })
        {
            if (toRename == "model.safetensors" && toDelete is null)
                continue;
            Plan(folder, [toRename], toDelete is null ? [] : [toDelete]);
            File.WriteAllText(folder[toRename + Suffix], "new");
            var before = Describe(folder.Path);
            var error = Assert.ThrowsExactly<InvalidDataException>(() => CoLMModel.Load(folder.Path));
            Assert.Contains(folder[FolderSave.PlanName], error.Message);
            Assert.AreEqual(before, Describe(folder.Path));
        }
    }

    [TestMethod]
    [DataRow("config.json config.json", "")]
    [DataRow("config.json", "tokenizer.json tokenizer.json")]
    public void APlanThatNamesAFileTwiceIsRefusedAndNothingIsDone(string rename, string delete)
    {
        using var folder = Saved();
        Plan(folder, rename.Split(' '), delete.Split(' ', StringSplitOptions.RemoveEmptyEntries));
        File.Copy(folder["config.json"], folder["config.json" + Suffix]);
        var before = Describe(folder.Path);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => CoLMModel.Load(folder.Path));
        Assert.Contains(folder[FolderSave.PlanName], error.Message);
        Assert.Contains("each once", error.Message);
        Assert.AreEqual(before, Describe(folder.Path));
    }

    [TestMethod]
    public void APlanWhoseNewFilesAreNotThereDeletesNone()
    {
        using var folder = Saved();
        using (var model = TestModels.Random(TestModels.Config(4, 2)))
            model.Save(folder.Path);
        var before = TemporaryFolder.Contents(folder.Path);
        Plan(folder, rename: ["model.safetensors", "config.json"], delete: ["chain-2.safetensors", "tokenizer.json"]);
        CoLMModel.Load(folder.Path).Dispose();
        Assert.IsTrue(ModelAssert.HaveSameFiles(before, TemporaryFolder.Contents(folder.Path)));

        // One of two is an interrupted save's, which had deleted what it was to delete.
        Plan(folder, rename: ["model.safetensors", "config.json"], delete: ["chain-2.safetensors"]);
        File.WriteAllBytes(folder[$"config.json{Suffix}"], before["config.json"]);
        CoLMModel.Load(folder.Path).Dispose();
        Assert.IsTrue(ModelAssert.HaveSameFiles(before, TemporaryFolder.Contents(folder.Path)));
    }

    [TestMethod]
    public void LoadingWhatNeedsNoRepairWritesNothing()
    {
        using var folder = Saved();
        using var outside = new TemporaryFolder();
        File.WriteAllText(outside["victim"], "mine");
        File.WriteAllText(folder[$"model.safetensors{Suffix}"], "what a killed save left");
        File.CreateSymbolicLink(folder[FolderLock.FileName], outside["victim"]);
        var before = Describe(folder.Path);
        var changed = Directory.GetLastWriteTimeUtc(folder.Path);
        CoLMModel.Load(folder.Path).Dispose();
        Assert.AreEqual(before, Describe(folder.Path));
        Assert.AreEqual(changed, Directory.GetLastWriteTimeUtc(folder.Path), "A name came and went.");
    }

    [TestMethod]
    public void AModelIsReadThroughLinksAsInACacheOfDownloads()
    {
        using var folder = Saved();
        Directory.CreateDirectory(folder["snapshot"]);
        foreach (var path in Directory.GetFiles(folder.Path))
            File.CreateSymbolicLink(Path.Combine(folder["snapshot"], Path.GetFileName(path)), $"../{Path.GetFileName(path)}");
        using var loaded = CoLMModel.Load(folder["snapshot"]);
        using var expected = CoLMModel.Load(folder.Path);
        ModelAssert.SameWeights(expected, loaded);

        File.Delete(folder["model.safetensors"]);
        var error = Assert.ThrowsExactly<FileNotFoundException>(() => CoLMModel.Load(folder["snapshot"]));
        Assert.Contains("link to '../model.safetensors', which is missing", error.Message);
    }

    [TestMethod]
    [DataRow("config.json")]
    [DataRow("model.safetensors")]
    [DataRow("chain-2.safetensors")]
    [DataRow("tokenizer.json")]
    [DataRow("colm-save.json")]
    public void AFolderInTheWayOfAFileIsFoundBeforeASaveWritesAnything(string name)
    {
        using var folder = Saved();
        File.Delete(folder[name]);
        Directory.CreateDirectory(folder[name]);
        File.WriteAllText(Path.Combine(folder[name], "notes.txt"), "mine");
        var before = Describe(folder.Path);
        using var model = Estimators.TextModels.Random(4, 2);
        Assert.Contains(folder[name], Assert.ThrowsExactly<IOException>(() => model.Save(folder.Path)).Message);
        Assert.AreEqual(before, Describe(folder.Path));
    }

    [TestMethod]
    [DataRow("tokenizer.json")]
    [DataRow("tokenizer_config.json")]
    [DataRow("tokenizer.model")]
    [DataRow("model.safetensors.index.json")]
    [DataRow("model-00001-of-00002.safetensors")]
    [DataRow("chain-3.safetensors")]
    public void AFolderUnderANameThatTheModelDoesNotWriteButALoadMayLookAtIsRefused(string name)
    {
        using var model = TestModels.Random(TestModels.Config(4, 2), seed: 2);
        using var old = Saved();
        using var empty = new TemporaryFolder();
        foreach (var folder in (TemporaryFolder[])[old, empty])
        {
            Directory.CreateDirectory(folder[name]);
            var before = Describe(folder.Path);
            Assert.Contains(folder[name], Assert.ThrowsExactly<IOException>(() => model.Save(folder.Path)).Message);
            Assert.AreEqual(before, Describe(folder.Path).Replace($"\n{FolderLock.FileName}", "", StringComparison.Ordinal));
        }
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void LinksToFoldersThatALoadWouldLookAtGoAndWhatTheyLeadToStays(bool replaces)
    {
        using var folder = replaces ? Saved() : new TemporaryFolder();
        using var outside = new TemporaryFolder();
        File.WriteAllText(outside["victim"], "mine");
        string[] names = ["tokenizer.json", "tokenizer_config.json", "tokenizer.model", "chain-3.safetensors"];
        foreach (var name in names)
            Make("link to a folder", folder[name], outside);
        using var model = TestModels.Random(TestModels.Config(4, 2), seed: 2);
        model.Save(folder.Path);
        using var loaded = CoLMModel.Load(folder.Path);
        ModelAssert.SameWeights(model, loaded);
        Assert.IsFalse(names.Any(name => Path.Exists(folder[name])));
        Assert.AreEqual("mine", File.ReadAllText(outside["victim"]));
    }

    [TestMethod]
    public void ASaveWhoseFirstChangeFailsAfterItsPlanIsTakenBack()
    {
        using var folder = Saved();
        using var model = TestModels.Random(TestModels.Config(4, 2), seed: 2);
        var before = TemporaryFolder.Contents(folder.Path);
        var files = new FaultyFiles(failingChange: 5, FaultyFiles.Point.Before, isCrash: false);
        Assert.ThrowsExactly<IOException>(() => ModelFolder.Save(model, folder.Path, 2, files));
        Assert.IsTrue(ModelAssert.HaveSameFiles(before, TemporaryFolder.Contents(folder.Path)));
    }

    private static void Make(string kind, string path, TemporaryFolder outside)
    {
        switch (kind)
        {
            case "link":
                File.CreateSymbolicLink(path, outside["victim"]);
                break;
            case "dangling link":
                File.CreateSymbolicLink(path, outside["nothing"]);
                break;
            case "link to a folder":
                Directory.CreateSymbolicLink(path, outside.Path);
                break;
            case "hard link":
                UnixOnly.MakeHardLink(path, outside["victim"]);
                break;
            case "pipe":
                UnixOnly.MakePipe(path);
                break;
            case "folder":
                Directory.CreateDirectory(path);
                break;
            case "device":
                File.CreateSymbolicLink(path, "/dev/zero");
                break;
        }
    }

    private static void Plan(TemporaryFolder folder, string[] rename, string[] delete)
    {
        var plan = System.Text.Json.JsonSerializer.Serialize(new SavePlan(Suffix, rename, delete));
        File.WriteAllText(folder[FolderSave.PlanName], plan);
    }

    private static TemporaryFolder Saved()
    {
        var folder = new TemporaryFolder();
        using var model = TestModels.Random(TestModels.Config(4, 2));
        model.Save(folder.Path);
        return folder;
    }

    // Names, kinds, targets, times and contents.
    private static string Describe(string folder) => string.Join('\n', new DirectoryInfo(folder)
        .EnumerateFileSystemInfos().OrderBy(entry => entry.Name, StringComparer.Ordinal)
        .Select(entry => $"{entry.Name} {entry.LinkTarget} {entry.LastWriteTimeUtc.Ticks} " +
            (entry is FileInfo { LinkTarget: null, Length: > 0 } file ? Convert.ToHexString(File.ReadAllBytes(file.FullName)) : "")));
}
