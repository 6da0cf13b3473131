using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>Folders of checkpoints as a stranger may give them.</summary>
[TestClass]
public sealed class ForeignCheckpointTests
{
    private const string Temporary = FolderSave.TemporarySuffix;

    [TestInitialize]
    public void RequireUnix() => UnixOnly.Require();

    [TestMethod]
    public void ALinkInTheLocksPlaceIsNotFollowed()
    {
        using var folder = new TemporaryFolder();
        using var outside = new TemporaryFolder();
        File.WriteAllText(outside["victim"], "mine");
        File.CreateSymbolicLink(folder[FolderLock.FileName], outside["victim"]);
        var error = Assert.ThrowsExactly<IOException>(
            () => new ResumableTraining().Run(ResumableTraining.Options(folder.Path)));
        Assert.Contains(folder[FolderLock.FileName], error.Message);
        Assert.AreEqual("mine", File.ReadAllText(outside["victim"]));
    }

    [TestMethod]
    public void ACheckpointReplacesTheNamesOfLinksAndFollowsNone()
    {
        using var folder = new TemporaryFolder();
        using var outside = new TemporaryFolder();
        File.WriteAllText(outside["victim"], "mine");
        foreach (var step in (int[])[9, 10])
        {
            foreach (var extension in (string[])["safetensors", "json", "sha256"])
                File.CreateSymbolicLink(folder[$"checkpoint-{step}.{extension}{Temporary}"], outside["victim"]);
            File.CreateSymbolicLink(folder[$"checkpoint-{step}.safetensors"], outside["victim"]);
            UnixOnly.MakeHardLink(folder[$"checkpoint-{step}.json"], outside["victim"]);
        }
        File.WriteAllText(folder[$"checkpoint-of-mine{Temporary}"], "mine");
        new ResumableTraining().Run(ResumableTraining.Options(folder.Path));
        Assert.AreEqual("mine", File.ReadAllText(outside["victim"]));
        Assert.AreEqual("mine", File.ReadAllText(folder[$"checkpoint-of-mine{Temporary}"]));
        Assert.IsTrue(Directory.GetFiles(folder.Path).All(path => new FileInfo(path).LinkTarget is null));
        Assert.HasCount(7, Directory.GetFiles(folder.Path));
    }

    [TestMethod]
    [DataRow("safetensors", false)]
    [DataRow("json", false)]
    [DataRow("sha256", false)]
    [DataRow("safetensors", true)]
    [DataRow("json", true)]
    [DataRow("sha256", true)]
    public void APipeOrADeviceInAFilesPlaceIsADamagedCheckpoint(string extension, bool isPipe)
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        training.Run(ResumableTraining.Options(folder.Path), dieAfter: 7);
        var path = folder[$"checkpoint-6.{extension}"];
        File.Delete(path);
        if (isPipe)
            UnixOnly.MakePipe(path);
        else
            File.CreateSymbolicLink(path, "/dev/zero");
        Assert.AreEqual(4, training.Run(ResumableTraining.Options(folder.Path)).Reports[0].Step);
        Assert.Contains(path, training.Messages.Single(message => message.Kind == ChannelMessageKind.Warning).Text);
    }
}
