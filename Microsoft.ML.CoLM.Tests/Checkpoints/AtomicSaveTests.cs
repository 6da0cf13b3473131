using System.Diagnostics;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Interop;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

[TestClass, DoNotParallelize]
public sealed class AtomicSaveTests
{
    private static readonly FaultyFiles.Point[] Points = Enum.GetValues<FaultyFiles.Point>();

    [TestMethod]
    public void ACrashAtAnyMomentLeavesTheOldModelOrTheNewOne()
    {
        using var models = new Models();
        var outcomes = new List<bool>();
        for (var change = 0; change < models.ChangesOfASave; change++)
        {
            foreach (var point in Points)
            {
                using var folder = models.OldFolder();
                SaveExpectingFailure(models.New, folder.Path, new FaultyFiles(change, point, isCrash: true));
                outcomes.Add(models.IsNew(folder.Path));

                // Whatever the crash left behind does not hinder the next save.
                models.New.Save(folder.Path);
                ModelAssert.SameFiles(models.NewFolder, folder.Path);
            }
        }
        Assert.Contains(false, outcomes);
        Assert.Contains(true, outcomes);
        CollectionAssert.AreEqual(outcomes.Order().ToList(), outcomes, "Once it is the new model it stays so.");
    }

    [TestMethod]
    public void ACrashWhileAnInterruptedSaveIsFinishedLeavesTheNewModel()
    {
        using var models = new Models();
        var committed = Models.ChangesBeforeCommit;
        for (var change = 0; change < models.ChangesOfASave - committed; change++)
        {
            foreach (var point in Points)
            {
                using var folder = models.OldFolder();
                SaveExpectingFailure(
                    models.New, folder.Path, new FaultyFiles(committed, FaultyFiles.Point.Before, isCrash: true));
                Assert.ThrowsExactly<IOException>(
                    () => FolderSave.Finish(folder.Path, new FaultyFiles(change, point, isCrash: true)));
                Assert.IsTrue(models.IsNew(folder.Path));
                ModelAssert.SameFiles(models.NewFolder, folder.Path);
            }
        }
    }

    [TestMethod]
    public void AFullDiskLeavesTheOldFilesAndNoOthers()
    {
        using var models = new Models();
        for (var change = 0; change < Models.ChangesBeforeCommit - 1; change++)
        {
            foreach (var point in Points)
            {
                using var folder = models.OldFolder();
                var before = TemporaryFolder.Contents(folder.Path);
                SaveExpectingFailure(models.New, folder.Path, new FaultyFiles(change, point, isCrash: false));
                Assert.IsTrue(ModelAssert.HaveSameFiles(before, TemporaryFolder.Contents(folder.Path)));
            }
        }
    }

    [TestMethod]
    public void AFullDiskOnAFirstSaveLeavesAFolderThatIsNoModel()
    {
        using var models = new Models();
        using var folder = new TemporaryFolder();
        SaveExpectingFailure(models.New, folder.Path, new FaultyFiles(1, FaultyFiles.Point.Within, isCrash: false));
        Assert.IsEmpty(Directory.GetFiles(folder.Path));
    }

    [TestMethod]
    public void ARealFullDiskLeavesTheOldModelWhole()
    {
        using var disk = new SmallDisk();
        using var models = new Models();
        models.Old.Save(disk["model"]);
        var before = TemporaryFolder.Contents(disk["model"]);
        disk.Fill(bytesLeft: 8192);
        var error = Assert.ThrowsExactly<IOException>(() => models.New.Save(disk["model"]));
        Assert.Contains(disk["model"], error.Message);
        Assert.IsTrue(ModelAssert.HaveSameFiles(before, TemporaryFolder.Contents(disk["model"])));
        disk.Free();
        models.New.Save(disk["model"]);
        ModelAssert.SameFiles(models.NewFolder, disk["model"]);
    }

    [TestMethod]
    public void ASaveThatIsFinishedByALoadKeepsOtherSavesOut()
    {
        using var models = new Models();
        using var folder = models.OldFolder();
        SaveExpectingFailure(models.New, folder.Path,
            new FaultyFiles(Models.ChangesBeforeCommit, FaultyFiles.Point.Before, isCrash: true));

        // The load is held up before its first rename, as a process that was stopped is.
        using var beforeRename = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        var load = Task.Run(() => FolderSave.Finish(folder.Path, new PausingFiles(beforeRename, goOn)));
        beforeRename.Wait();
        var error = Assert.ThrowsExactly<IOException>(() => models.Old.Save(folder.Path));
        Assert.Contains(folder.Path, error.Message);
        Assert.Contains(FolderLock.FileName, error.Message);
        goOn.Set();
        load.Wait();
        Assert.IsTrue(models.IsNew(folder.Path));
        ModelAssert.SameFiles(models.NewFolder, folder.Path);
        models.Old.Save(folder.Path);
        Assert.IsFalse(models.IsNew(folder.Path));
    }

    [TestMethod]
    public void ALoadBesideASaveThatGivesTheFilesTheirNamesWaitsForIt()
    {
        using var models = new Models();
        using var folder = models.OldFolder();
        using var beforeRename = new ManualResetEventSlim();
        using var goOn = new ManualResetEventSlim();
        var save = Task.Run(() => ModelFolder.Save(
            models.New, folder.Path, models.New.Config.ChainCount, new PausingFiles(beforeRename, goOn, skip: 2)));
        beforeRename.Wait();
        var load = Task.Run(() => models.IsNew(folder.Path));
        Assert.IsFalse(load.Wait(TimeSpan.FromMilliseconds(100)));
        goOn.Set();
        Assert.IsTrue(load.Result);
        save.Wait();
        ModelAssert.SameFiles(models.NewFolder, folder.Path);
    }

    [TestMethod]
    public void LoadsBesideSavesGetOneModelOrTheOther()
    {
        using var models = new Models();
        using var folder = models.OldFolder();
        var outcomes = new List<bool>();
        var loads = Task.Run(() =>
        {
            var clock = Stopwatch.StartNew();
            while (clock.Elapsed.TotalSeconds < (outcomes.Distinct().Count() == 2 ? 1.5 : 30))
                outcomes.Add(models.IsNew(folder.Path));
        });
        while (!loads.IsCompleted)
        {
            models.New.Save(folder.Path);
            models.Old.Save(folder.Path);
        }
        loads.Wait();
        Assert.Contains(false, outcomes);
        Assert.Contains(true, outcomes);
    }

    // As two saves in a row leave it where the file system's clock ticks slowly. Windows has no inodes to tell files apart by.
    [TestMethod]
    [OSCondition(ConditionMode.Exclude, OperatingSystems.Windows)]
    public void AFileInAnothersPlaceIsSeenThoughNameLengthAndTimeAreTheSame()
    {
        using var models = new Models();
        using var folder = models.OldFolder();
        var before = ModelFolder.StateOf(folder.Path);
        Assert.AreEqual(before, ModelFolder.StateOf(folder.Path));
        var (path, copy) = (folder["model.safetensors"], folder["copy"]);
        var time = File.GetLastWriteTimeUtc(path);
        File.Copy(path, copy);
        File.SetLastWriteTimeUtc(copy, time);
        File.Move(copy, path, overwrite: true);
        Assert.AreEqual(time, File.GetLastWriteTimeUtc(path));
        Assert.AreNotEqual(before, ModelFolder.StateOf(folder.Path));
    }

    [TestMethod]
    public void SavesOfSeveralThreadsFollowEachOther()
    {
        using var models = new Models();
        using var folder = models.OldFolder();
        Parallel.For(0, 3, i => (i % 2 == 0 ? models.Old : models.New).Save(folder.Path));
        models.IsNew(folder.Path);
        Assert.IsEmpty(Directory.GetFiles(folder.Path, "*colm-*"));
    }

    [TestMethod]
    public void AFolderThatCannotBeWrittenIsReadUnlessASaveWasInterrupted()
    {
        using var disk = new SmallDisk();
        using var models = new Models();
        models.Old.Save(disk.Path);
        disk.MakeReadOnly(true);
        Assert.IsFalse(models.IsNew(disk.Path));
        disk.MakeReadOnly(false);
        SaveExpectingFailure(models.New, disk.Path,
            new FaultyFiles(Models.ChangesBeforeCommit, FaultyFiles.Point.Before, isCrash: true));
        disk.MakeReadOnly(true);
        var error = Assert.ThrowsExactly<IOException>(() => CoLMModel.Load(disk.Path));
        Assert.Contains("interrupted", error.Message);
        Assert.Contains(disk.Path, error.Message);
        disk.MakeReadOnly(false);
        Assert.IsTrue(models.IsNew(disk.Path));
    }

    [TestMethod]
    [DataRow("{")]
    [DataRow("null")]
    [DataRow("{}")]
    [DataRow("""{"Rename":[],"Delete":[]}""")]
    [DataRow("""{"Suffix":".colm-tmp","Rename":["../config.json"],"Delete":[]}""")]
    [DataRow("""{"Suffix":".colm-tmp","Rename":[],"Delete":["/etc/passwd"]}""")]
    [DataRow("""{"Suffix":".colm-tmp","Rename":[null],"Delete":[]}""")]
    [DataRow("""{"Suffix":"/../x.colm-tmp","Rename":[],"Delete":[]}""")]
    [DataRow("""{"Suffix":"","Rename":["config.json"],"Delete":[]}""")]
    public void APlanThatIsDamagedOrLeadsOutOfItsFolderIsRefusedAndNothingIsDone(string plan)
    {
        using var models = new Models();
        using var folder = models.OldFolder();
        File.WriteAllText(folder[FolderSave.PlanName], plan);
        var before = TemporaryFolder.Contents(folder.Path);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => CoLMModel.Load(folder.Path));
        Assert.Contains(folder[FolderSave.PlanName], error.Message);
        Assert.IsTrue(ModelAssert.HaveSameFiles(before, TemporaryFolder.Contents(folder.Path)));
    }

    private static void SaveExpectingFailure(CoLMModel model, string folder, FaultyFiles files) =>
        Assert.ThrowsExactly<IOException>(
            () => ModelFolder.Save(model, folder, model.Config.ChainCount, files));

    /// <summary>An old model of three chains with a shard's leftovers, and a new one of two.</summary>
    private sealed class Models : IDisposable
    {
        private readonly TemporaryFolder _folder = new();

        public Models()
        {
            New.Save(NewFolder);
            using var folder = OldFolder();
            var files = new FaultyFiles(int.MaxValue, FaultyFiles.Point.Before, isCrash: false);
            ModelFolder.Save(New, folder.Path, New.Config.ChainCount, files);
            ChangesOfASave = files.Changes;
        }

        // Two chains, the configuration and the plan are written, and the plan gets its name.
        public const int ChangesBeforeCommit = 5;

        public CoLMModel Old { get; } = TestModels.Random(TestModels.Config(4, 4, 8), seed: 1);

        public CoLMModel New { get; } = TestModels.Random(TestModels.Config(4, 4), seed: 2);

        public string NewFolder => _folder["new"];

        public int ChangesOfASave { get; }

        public TemporaryFolder OldFolder()
        {
            var folder = new TemporaryFolder();
            Old.Save(folder.Path);
            File.WriteAllText(folder["tokenizer_config.json"], "{}");
            return folder;
        }

        /// <summary>Whether loading gives the new model; it must give one of the two.</summary>
        public bool IsNew(string folder)
        {
            using var loaded = CoLMModel.Load(folder);
            var isNew = loaded.Config.ChainCount == New.Config.ChainCount;
            ModelAssert.SameWeights(isNew ? New : Old, loaded);
            return isNew;
        }

        public void Dispose()
        {
            Old.Dispose();
            New.Dispose();
            _folder.Dispose();
        }
    }
}
