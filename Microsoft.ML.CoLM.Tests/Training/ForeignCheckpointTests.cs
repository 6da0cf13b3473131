using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>Folders of checkpoints as a stranger may give them.</summary>
[TestClass, DoNotParallelize]
public sealed class ForeignCheckpointTests
{
    private const string Temporary = UnfinishedFile.Suffix;

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

    [TestMethod]
    [DataRow("folder")]
    [DataRow("link to a folder")]
    [DataRow("socket")]
    public void WhatIsNoFileInTheChecksumsPlaceIsADamagedCheckpointAndNoMissingOne(string kind)
    {
        using var folder = new TemporaryFolder();
        using var outside = new TemporaryFolder();
        File.WriteAllText(outside["victim"], "mine");
        var training = new ResumableTraining();
        training.Run(ResumableTraining.Options(folder.Path), dieAfter: 7);
        var path = folder["checkpoint-6.sha256"];
        Place(path);
        Assert.AreEqual(4, training.Run(ResumableTraining.Options(folder.Path), dieAfter: 5).Reports[0].Step);
        Assert.Contains(path, training.Messages.Single(message => message.Kind == ChannelMessageKind.Warning).Text);

        path = folder["checkpoint-3.sha256"];
        Place(path);
        var before = Directory.GetFileSystemEntries(folder.Path).Order().ToArray();
        var error = Assert.ThrowsExactly<InvalidDataException>(() => training.Run(ResumableTraining.Options(folder.Path)));
        Assert.Contains(path, error.Message);
        CollectionAssert.AreEqual(before, Directory.GetFileSystemEntries(folder.Path).Order().ToArray());
        Assert.AreEqual("mine", File.ReadAllText(outside["victim"]));

        void Place(string path)
        {
            File.Delete(path);
            if (kind == "folder")
                Directory.CreateDirectory(path);
            else if (kind == "socket")
                UnixOnly.MakeSocket(path);
            else
                Directory.CreateSymbolicLink(path, outside.Path);
        }
    }

    [TestMethod]
    public void AFolderInAnOldCheckpointsPlaceStaysAndTrainingGoesOn()
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        training.Run(ResumableTraining.Options(folder.Path), dieAfter: 7);
        File.Delete(folder["checkpoint-3.sha256"]);
        Directory.CreateDirectory(folder["checkpoint-3.sha256"]);
        File.WriteAllText(folder["checkpoint-3.sha256/notes.txt"], "mine");
        training.Run(ResumableTraining.Options(folder.Path));
        Assert.AreEqual("mine", File.ReadAllText(folder["checkpoint-3.sha256/notes.txt"]));
        Assert.IsEmpty(training.Messages.Where(message => message.Kind == ChannelMessageKind.Warning));
        Assert.IsTrue(File.Exists(folder["checkpoint-10.sha256"]));
    }

    [TestMethod]
    [DataRow("json", "8388608")]
    [DataRow("safetensors", "follow")]
    public void AFileMuchLongerThanItsCheckpointIsRefusedUnread(string extension, string expected)
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        training.Run(ResumableTraining.Options(folder.Path), dieAfter: 7);
        using (var file = File.OpenWrite(folder[$"checkpoint-6.{extension}"]))
            file.SetLength(10L << 30); // takes no room on the disk
        Assert.AreEqual(4, training.Run(ResumableTraining.Options(folder.Path)).Reports[0].Step);
        var warning = training.Messages.Single(message => message.Kind == ChannelMessageKind.Warning).Text;
        Assert.Contains(folder[$"checkpoint-6.{extension}"], warning);
        Assert.Contains(expected, warning);
    }

    [TestMethod]
    [DataRow("train_runtime", "1e300")]
    [DataRow("train_runtime", "-1")]
    [DataRow("train_runtime", "\"NaN\"")]
    [DataRow("num_input_tokens_seen", "-1")]
    [DataRow("num_input_tokens_seen", "9223372036854775807")]
    [DataRow("loss", "\"NaN\"")]
    [DataRow("global_step", "0")]
    [DataRow("global_step", "2147483647")]
    [DataRow("best_global_step", "-5")]
    [DataRow("best_global_step", "7")]
    [DataRow("validations_without_best", "-2147483648")]
    [DataRow("optimizer_steps", "-1")]
    [DataRow("optimizer_steps", "7")]
    public void ANumberThatNoTrainingHasIsADamagedCheckpoint(string name, string value)
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        training.Run(ResumableTraining.Options(folder.Path), dieAfter: 7);
        Rewrite(folder, json =>
        {
            var place = name == "optimizer_steps" ? json[name]!.AsObject() : json;
            place[place == json ? name : place.First().Key] = JsonNode.Parse(value);
        });
        Assert.AreEqual(4, training.Run(ResumableTraining.Options(folder.Path)).Reports[0].Step);
        var warning = training.Messages.Single(message => message.Kind == ChannelMessageKind.Warning).Text;
        Assert.Contains($"{folder["checkpoint-6.json"]}: {name} must be from", warning);
    }

    [TestMethod]
    public void WhatMultipliesNothingIsADamagedCheckpoint()
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        training.Run(ResumableTraining.Options(folder.Path), dieAfter: 7);
        Rewrite(folder, json => json["identity"]!["products"] = "float32=abacus");
        Assert.AreEqual(4, training.Run(ResumableTraining.Options(folder.Path)).Reports[0].Step);
        var warning = training.Messages.Single(message => message.Kind == ChannelMessageKind.Warning).Text;
        Assert.Contains("products must name what multiplies matrices, found 'float32=abacus'", warning);
    }

    [TestMethod]
    public void AStepThatEpochsDoNotReachIsRefused()
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        ChainExpansionEstimator.Options Options() => ResumableTraining.Options(folder.Path, options => options.MaxSteps = null);
        training.Run(Options());
        var newest = Directory.GetFiles(folder.Path, "*.json").Select(Path.GetFileNameWithoutExtension).Max()!;
        Rewrite(folder, json => json["global_step"] = 1000, newest, "checkpoint-1000");
        var error = Assert.ThrowsExactly<InvalidDataException>(() => training.Run(Options()));
        Assert.Contains("checkpoint of step 1000", error.Message);
    }

    [TestMethod]
    [DataRow(-1f)]
    [DataRow(float.NaN)]
    public void MeanSquaredGradientsThatNoTrainingHasAreRefused(float value)
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        training.Run(ResumableTraining.Options(folder.Path), dieAfter: 7);
        var path = folder["checkpoint-6.safetensors"];
        var bytes = File.ReadAllBytes(path);
        long begin;
        using (var reader = SafetensorsReader.Open(path))
        {
            begin = reader.Entries.First(
                entry => entry.Name.StartsWith("optimizer.exp_avg_sq.", StringComparison.Ordinal)).Begin;
        }
        BitConverter.TryWriteBytes(bytes.AsSpan((int)(8 + BitConverter.ToInt64(bytes) + begin)), value);
        File.WriteAllBytes(path, bytes);
        Rewrite(folder, _ => { });
        var error = Assert.ThrowsExactly<InvalidDataException>(() => training.Run(ResumableTraining.Options(folder.Path)));
        Assert.Contains("checkpoint of step 6", error.Message);
        Assert.Contains("mean squared gradients", error.Message);
    }

    // As somebody does who writes the checksums, too.
    private static void Rewrite(
        TemporaryFolder folder, Action<JsonObject> change, string from = "checkpoint-6", string to = "checkpoint-6")
    {
        var json = JsonNode.Parse(File.ReadAllText(folder[$"{from}.json"]))!.AsObject();
        change(json);
        File.WriteAllText(folder[$"{to}.json"], json.ToJsonString());
        if (from != to)
            File.Copy(folder[$"{from}.safetensors"], folder[$"{to}.safetensors"]);
        File.WriteAllText(folder[$"{to}.sha256"], string.Concat(((string[])[$"{to}.safetensors", $"{to}.json"])
            .Select(name => $"{Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(folder[name])))}  {name}\n")));
    }
}
