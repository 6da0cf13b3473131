using System.Security.Cryptography;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Tests.Training;

[TestClass, DoNotParallelize]
public sealed class CheckpointTests
{
    private const int Newest = 6;
    private const int BeforeIt = 3;

    private static readonly Dictionary<string, Action<string>> Damages = new()
    {
        ["a flipped bit at the beginning"] = file => Flip(file, 0.0),
        ["a flipped bit in the middle"] = file => Flip(file, 0.5),
        ["a flipped bit at the end"] = file => Flip(file, 1.0),
        ["half of it"] = file => Resize(file, 0.5),
        ["nothing"] = file => Resize(file, 0),
        ["a byte more"] = file => File.AppendAllText(file, "x"),
        ["much more"] = file => Resize(file, 100),
        ["a header that claims to be huge"] = file => Overwrite(file, [0xff, 0xe0, 0xf5, 0x05, 0, 0, 0, 0]),
        ["zeros"] = file => File.WriteAllBytes(file, new byte[new FileInfo(file).Length]),
    };

    public static IEnumerable<(string, string)> DamagedFiles =>
        from damage in Damages.Keys
        from extension in (string[])["safetensors", "json", "sha256"]
        select (damage, extension);

    [TestMethod]
    public void TheNewestTwoAreKept()
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        training.Run(ResumableTraining.Options(folder.Path), dieAfter: 10);
        CollectionAssert.AreEqual(Files(6, 9), Files(folder));
        training.Run(ResumableTraining.Options(folder.Path));
        CollectionAssert.AreEqual(Files(9, 10), Files(folder));
    }

    [TestMethod]
    [DynamicData(nameof(DamagedFiles))]
    public void ADamagedCheckpointGivesWayToTheOneBeforeItAndTheLogSaysSo(string damage, string extension)
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        var expected = training.Run(ResumableTraining.Options(folder: null));
        training.Run(ResumableTraining.Options(folder.Path), dieAfter: 8);
        CollectionAssert.AreEqual(Files(BeforeIt, Newest), Files(folder));
        Damages[damage](folder[$"checkpoint-{Newest}.{extension}"]);

        var resumed = training.Run(ResumableTraining.Options(folder.Path));
        Assert.AreEqual(BeforeIt + 1, resumed.Reports[0].Step);
        resumed.MustEqual(expected, damage);
        var warning = training.Messages.Single(message => message.Kind == ChannelMessageKind.Warning).Text;
        Assert.Contains($"step {BeforeIt}", warning);
        Assert.Contains($"checkpoint-{Newest}", warning);
        CollectionAssert.AreEqual(Files(9, 10), Files(folder), "The damaged one is gone.");
    }

    [TestMethod]
    [DataRow("safetensors")]
    [DataRow("json")]
    [DataRow("sha256")]
    public void ACheckpointThatLacksAFileGivesWayToTheOneBeforeIt(string extension)
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        var expected = training.Run(ResumableTraining.Options(folder: null));
        training.Run(ResumableTraining.Options(folder.Path), dieAfter: 8);
        File.Delete(folder[$"checkpoint-{Newest}.{extension}"]);
        var resumed = training.Run(ResumableTraining.Options(folder.Path));
        Assert.AreEqual(BeforeIt + 1, resumed.Reports[0].Step);
        resumed.MustEqual(expected, extension);
    }

    [TestMethod]
    public void WhereAllAreDamagedEachIsNamed()
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        training.Run(ResumableTraining.Options(folder.Path), dieAfter: 8);
        Flip(folder[$"checkpoint-{Newest}.json"], 0.5);
        Flip(folder[$"checkpoint-{BeforeIt}.safetensors"], 0.5);
        var before = TemporaryFolder.Contents(folder.Path);
        var error = Assert.ThrowsExactly<InvalidDataException>(
            () => training.Run(ResumableTraining.Options(folder.Path)));
        Assert.Contains(folder[$"checkpoint-{Newest}.json"], error.Message);
        Assert.Contains(folder[$"checkpoint-{BeforeIt}.safetensors"], error.Message);
        Assert.IsTrue(ModelAssert.HaveSameFiles(before, TemporaryFolder.Contents(folder.Path)));
    }

    [TestMethod]
    public void ACrashAtAnyMomentOfAnySaveLeavesAWholeCheckpoint()
    {
        var expected = new ResumableTraining().Run(ResumableTraining.Options(folder: null));
        var resumedAfter = new List<int>();
        for (var (change, hasFailed) = (0, true); hasFailed; change++)
        {
            foreach (var point in Enum.GetValues<FaultyFiles.Point>())
            {
                // What a process that goes on finds when it can write no more is what one that is killed leaves.
                using var folder = new TemporaryFolder();
                var files = new FaultyFiles(change, point, isCrash: true);
                var training = new ResumableTraining { Files = files };
                var options = ResumableTraining.Options(folder.Path, options => options.CheckpointInterval = 4);
                training.Run(options).MustEqual(expected, $"change {change}, {point}");
                hasFailed = files.Changes > change;
                var resumed = new ResumableTraining().Run(options);
                resumed.MustEqual(expected, $"resumed after change {change}, {point}");
                resumedAfter.Add(resumed.Reports.Count == 0 ? ResumableTraining.Steps : resumed.Reports[0].Step - 1);
                Assert.IsEmpty(Directory.GetFiles(folder.Path, "*" + UnfinishedFile.Suffix));
            }
        }
        CollectionAssert.AreEqual(new[] { 0, 4, 8, ResumableTraining.Steps }, resumedAfter.Distinct().ToArray());
    }

    [TestMethod]
    public void OnAFullDiskTrainingGoesOnWithAWarningAndTheOldCheckpoint()
    {
        var expected = new ResumableTraining().Run(ResumableTraining.Options(folder: null));
        // The first save takes three writes and as many names; the first write of the second fails.
        const int SecondSave = 6;
        foreach (var point in Enum.GetValues<FaultyFiles.Point>())
        {
            using var folder = new TemporaryFolder();
            var training = new ResumableTraining { Files = new FaultyFiles(SecondSave, point, isCrash: false) };
            training.Run(ResumableTraining.Options(folder.Path), dieAfter: 8);
            CollectionAssert.AreEqual(Files(3), Files(folder));
            var warning = training.Messages.Single(message => message.Kind == ChannelMessageKind.Warning).Text;
            foreach (var part in (string[])["step 6", "step 3", "No space left", folder.Path])
                Assert.Contains(part, warning);
            training.Run(ResumableTraining.Options(folder.Path)).MustEqual(expected, $"{point}");
        }
    }

    [TestMethod]
    public void WeightsWhoseLossIsNoNumberAreNotKept()
    {
        using var folder = new TemporaryFolder();
        var options = ResumableTraining.Options(folder.Path);
        (options.CheckpointInterval, options.WarmupSteps, options.LearningRate) = (1, 0, 1e30);
        Assert.ThrowsExactly<NonFiniteLossException>(() => new ResumableTraining().Run(options));
        Assert.IsEmpty(Files(folder));
    }

    [TestMethod]
    [DataRow(2, null)]
    [DataRow(5, 3)]
    [DataRow(8, 6)]
    public void ALossThatIsNoNumberNamesTheStepAndTheCheckpointToGoBackTo(int spoiledAfter, int? checkpoint)
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining { SpoilsAfter = spoiledAfter };
        var error = Assert.ThrowsExactly<NonFiniteLossException>(
            () => training.Run(ResumableTraining.Options(folder.Path)));
        Assert.Contains($"at step {spoiledAfter + 1}:", error.Message);
        Assert.Contains(checkpoint is null
            ? "no checkpoint to go back to" : $"that of step {checkpoint} in '{folder.Path}'", error.Message);
    }

    [TestMethod]
    public void TheChecksumsAreThoseThatSha256sumChecks()
    {
        using var folder = new TemporaryFolder();
        new ResumableTraining().Run(ResumableTraining.Options(folder.Path));
        foreach (var line in File.ReadAllLines(folder["checkpoint-10.sha256"]))
        {
            var (hash, name) = (line[..64], line[66..]);
            Assert.AreEqual("  ", line[64..66]);
            Assert.AreEqual(hash, Convert.ToHexStringLower(SHA256.HashData(File.ReadAllBytes(folder[name]))));
        }
    }

    [TestMethod]
    public void WhatAKilledSaveLeftIsDeletedByTheNext()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder[$"checkpoint-7.safetensors{UnfinishedFile.Suffix}"], "half a file");
        File.WriteAllText(folder["checkpoint-8.safetensors"], "a file without checksums");
        File.WriteAllText(folder[$"model.safetensors.x{UnfinishedFile.Suffix}"], "another save's");
        File.WriteAllText(folder["notes.txt"], "somebody's");
        new ResumableTraining().Run(ResumableTraining.Options(folder.Path));
        CollectionAssert.AreEquivalent(
            (string[])[.. Files(9, 10), $"model.safetensors.x{UnfinishedFile.Suffix}", "notes.txt"], Files(folder));
    }

    [TestMethod]
    public void WithoutACheckpointTrainingBeginsAtTheBeginningAndTheLogSaysSo()
    {
        using var folder = new TemporaryFolder();
        foreach (var place in (string[])[folder["missing"], folder.Path])
        {
            var training = new ResumableTraining();
            Assert.AreEqual(1, training.Run(ResumableTraining.Options(place)).Reports[0].Step);
            Assert.ContainsSingle(message => message.Kind == ChannelMessageKind.Info &&
                message.Text.Contains($"no checkpoint in '{place}'", StringComparison.Ordinal), training.Messages);
        }
    }

    [TestMethod]
    public void AnotherFolderMustHaveACheckpoint()
    {
        using var folder = new TemporaryFolder();
        foreach (var target in (string?[])[null, folder["target"]])
        {
            var options = ResumableTraining.Options(target, options => options.ResumeFrom = folder["missing"]);
            Assert.Contains(folder["missing"], Assert.ThrowsExactly<DirectoryNotFoundException>(
                () => new ResumableTraining().Run(options)).Message);
            Directory.CreateDirectory(folder["empty"]);
            options.ResumeFrom = folder["empty"];
            Assert.Contains(folder["empty"], Assert.ThrowsExactly<FileNotFoundException>(
                () => new ResumableTraining().Run(options)).Message);
        }
    }

    [TestMethod]
    public void TrainingMayGoOnFromOneFolderAndWriteToAnother()
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        training.Run(ResumableTraining.Options(folder["first"]), dieAfter: 8);
        var before = TemporaryFolder.Contents(folder["first"]);
        var options = ResumableTraining.Options(folder["second"], options => options.ResumeFrom = folder["first"]);
        var resumed = training.Run(options);
        Assert.AreEqual(Newest + 1, resumed.Reports[0].Step);
        Assert.IsTrue(ModelAssert.HaveSameFiles(before, TemporaryFolder.Contents(folder["first"])));
        CollectionAssert.AreEqual(Files(9, 10), Files(folder["second"]));
        options.CheckpointFolder = null;
        training.Run(options).MustEqual(resumed, "without a folder to write to");
    }

    [TestMethod]
    public void AFolderWithTheCheckpointsOfATrainingThatIsNotResumedIsRefused()
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        training.Run(ResumableTraining.Options(folder["first"]), dieAfter: 8);
        training.Run(ResumableTraining.Options(folder["second"]), dieAfter: 8);
        foreach (var from in (string?[])[null, folder["first"]])
        {
            var before = TemporaryFolder.Contents(folder["second"]);
            var options = ResumableTraining.Options(folder["second"], options => options.ResumeFrom = from);
            var error = Assert.ThrowsExactly<ArgumentException>(() => training.Run(options));
            foreach (var part in (string[])["CheckpointFolder", "ResumeFrom", folder["second"]])
                Assert.Contains(part, error.Message);
            Assert.IsTrue(ModelAssert.HaveSameFiles(before, TemporaryFolder.Contents(folder["second"])));
        }
    }

    [TestMethod]
    public void OneFolderIsWrittenByOneTrainingAtATime()
    {
        using var folder = new TemporaryFolder();
        var training = new ResumableTraining();
        using (FolderLock.Take(folder.Path))
        {
            Assert.Contains(folder.Path, Assert.ThrowsExactly<IOException>(
                () => training.Run(ResumableTraining.Options(folder.Path))).Message);
        }
        training.Run(ResumableTraining.Options(folder.Path + Path.DirectorySeparatorChar));
        Assert.IsEmpty(Directory.GetFiles(folder.Path, FolderLock.FileName));
    }

    [TestMethod]
    public void AFolderThatDisappearsMeanwhileIsMadeAnew()
    {
        using var folder = new TemporaryFolder();
        new ResumableTraining().Run(ResumableTraining.Options(folder["checkpoints"]), atStep: step =>
        {
            if (step == 7)
                Directory.Delete(folder["checkpoints"], recursive: true);
        });
        CollectionAssert.AreEqual(Files(9, 10), Files(folder["checkpoints"]));
    }

    private static string[] Files(params int[] steps) => [.. steps
        .SelectMany(step => (string[])["json", "safetensors", "sha256"], (step, extension) => $"checkpoint-{step}.{extension}")
        .Order(StringComparer.Ordinal)];

    private static string[] Files(TemporaryFolder folder) => Files(folder.Path);

    private static string[] Files(string folder) => [.. TemporaryFolder.Contents(folder).Keys];

    private static void Flip(string file, double place)
    {
        var bytes = File.ReadAllBytes(file);
        bytes[(int)((bytes.Length - 1) * place)] ^= 4;
        File.WriteAllBytes(file, bytes);
    }

    private static void Resize(string file, double share)
    {
        using var stream = File.OpenWrite(file);
        stream.SetLength((long)(stream.Length * share));
    }

    private static void Overwrite(string file, byte[] beginning)
    {
        using var stream = File.OpenWrite(file);
        stream.Write(beginning);
    }
}
