using System.IO.Compression;
using System.Runtime.Versioning;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Zips that <see cref="CoLMOperations"/> writes and reads: what is lost when something goes wrong, and left.</summary>
[TestClass, DoNotParallelize]
public sealed class SavedZipTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    private readonly List<CoLMModel> _models = [];

    [TestCleanup]
    public void DisposeModels() => _models.ForEach(model => model.Dispose());

    [TestMethod]
    public void AWholePipelineIsSavedAndLoaded()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 4);
        var rows = _mlContext.Rows(TextModels.Texts);
        using var fitted = _mlContext.Transforms.CopyColumns("Story", "Text")
            .Append(_mlContext.Transforms.Text.NormalizeText("Text"))
            .Append(_mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options { Model = model, BatchSize = 1 }))
            .Append(_mlContext.Transforms.Concatenate("Both", "LogProbability", "Perplexity"))
            .Fit(rows);
        _mlContext.CoLM().Save(fitted, rows.Schema, folder["pipeline.zip"]);
        _mlContext.Model.Save(fitted, rows.Schema, folder["other.zip"]);
        var (entries, others) = (ZipEntries.Read(folder["pipeline.zip"]), ZipEntries.Read(folder["other.zip"]));
        CollectionAssert.AreEqual(others.Keys, entries.Keys);
        foreach (var (name, bytes) in others)
            CollectionAssert.AreEqual(bytes, entries[name], name);

        var expected = _mlContext.Scores(fitted.Transform(rows));
        foreach (var load in (Func<(ITransformer, DataViewSchema)>[])[
            () => (new MLContext().CoLM().Load(folder["pipeline.zip"], out var schema), schema),
            () => (new MLContext().Model.Load(folder["pipeline.zip"], out var schema), schema),
            () => (new MLContext().CoLM().Load(folder["other.zip"], out var schema), schema)])
        {
            var (loaded, schema) = load();
            using var disposing = loaded as IDisposable;
            CollectionAssert.AreEqual(new[] { "Text", "Number" }, schema.Select(column => column.Name).ToArray());
            CollectionAssert.AreEqual(expected, _mlContext.Scores(loaded.Transform(rows)));
        }
    }

    [TestMethod]
    public void AZipWithoutASchemaHasNone()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4);
        using var transformer = _mlContext.Scorer(model);
        _mlContext.CoLM().Save(transformer, null, folder["model.zip"]);
        using var loaded = (ElasticScoringTransformer)_mlContext.CoLM().Load(folder["model.zip"], out var schema);
        Assert.IsNull(schema);
        ModelAssert.SameWeights(model, loaded.Model);
    }

    [TestMethod]
    public void ZipsOfOthersLoadAsTheyWereSaved()
    {
        using var folder = new TemporaryFolder();
        var rows = _mlContext.Keyed();
        var learnt = _mlContext.Transforms.Text.FeaturizeText("Features", "Text")
            .Append(_mlContext.MulticlassClassification.Trainers.SdcaMaximumEntropy())
            .Append(_mlContext.Transforms.Conversion.MapKeyToValue("PredictedLabel"))
            .Fit(rows);
        _mlContext.Model.Save(learnt, rows.Schema, folder["learnt.zip"]);
        var loaded = new MLContext().CoLM().Load(folder["learnt.zip"], out var schema);
        CollectionAssert.AreEqual(Classes(learnt.Transform(rows)), Classes(loaded.Transform(rows)));
        Assert.IsNotNull(schema.GetColumnOrNull("Label"));
        // The schema's own values are still there when the zip is closed.
        VBuffer<ReadOnlyMemory<char>> names = default;
        schema["Label"].GetKeyValues(ref names);
        CollectionAssert.AreEqual(Tuning.Classes, names.DenseValues().Select(name => name.ToString()).ToArray());

        var loader = _mlContext.Data.CreateTextLoader([new("Text", DataKind.String, 0)]);
        var copied = _mlContext.Transforms.CopyColumns("Copied", "Text").Fit(_mlContext.Rows("text"));
        _mlContext.Model.Save(copied, loader, folder["loader.zip"]);
        var expected = _mlContext.Model.Load(folder["loader.zip"], out var expectedSchema);
        loaded = _mlContext.CoLM().Load(folder["loader.zip"], out schema);
        Assert.AreEqual(expected.GetType(), loaded.GetType());
        CollectionAssert.AreEqual(
            expectedSchema.Select(column => column.ToString()).ToArray(), schema.Select(column => column.ToString()).ToArray());

        string[] Classes(IDataView data) => [.. data.GetColumn<string>("PredictedLabel")];
    }

    [TestMethod]
    public void WeightsAreInNoTemporaryFile()
    {
        using var folder = new TemporaryFolder();
        using var disk = new SmallDisk();
        using var transformer = Transformer(1);
        // Room for a few pages, such as ML.NET's files of settings and schemas take, but for no chain.
        disk.Fill(bytesLeft: 16 << 10);
        var mlContext = new MLContext(seed: 1) { TempFilePath = disk.Path };
        var schema = _mlContext.Rows("text").Schema;
        mlContext.CoLM().Save(transformer, schema, folder["model.zip"]);
        mlContext.Model.Save(transformer, schema, folder["other.zip"]);
        var shortest = ZipEntries.Read(folder["model.zip"])
            .Where(entry => entry.Key.EndsWith(".safetensors", StringComparison.Ordinal)).Min(entry => entry.Value.Length);
        Assert.IsGreaterThan(16 << 10, shortest);
        (mlContext.Model.Load(folder["model.zip"], out _) as IDisposable)!.Dispose();
        Assert.HasCount(1, Directory.GetFileSystemEntries(disk.Path));
        // This library's own reader needs no file at all.
        disk.MakeReadOnly(true);
        (mlContext.CoLM().Load(folder["other.zip"], out _) as IDisposable)!.Dispose();
    }

    [TestMethod]
    [OSCondition(ConditionMode.Exclude, OperatingSystems.Windows)]
    [UnsupportedOSPlatform("windows")]
    public void WhatIsTooLongForMemoryGoesThroughAFolderThatNobodyElseReads()
    {
        using var folder = new TemporaryFolder();
        using var temporary = new TemporaryFolder();
        using var transformer = Transformer(1);
        _mlContext.CoLM().Save(transformer, null, folder["model.zip"]);
        OldZips.Write(folder["model.zip"], folder["old.zip"]); // which the log tells of
        using (var zip = ZipFile.Open(folder["old.zip"], ZipArchiveMode.Update))
        {
            using var zeros = zip.CreateEntry("zeros").Open();
            zeros.Write(new byte[100 << 20]);
        }
        var (mode, mlContext) = (UnixFileMode.None, new MLContext { TempFilePath = temporary.Path });
        mlContext.Log += (_, _) => mode |= Directory.GetDirectories(temporary.Path)
            .Select(File.GetUnixFileMode).FirstOrDefault();
        (mlContext.CoLM().Load(folder["old.zip"], out _) as IDisposable)!.Dispose();
        Assert.AreEqual(UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute, mode);
    }

    [TestMethod]
    public void AFullDiskLeavesTheOldZipAndNothingElse()
    {
        using var disk = new SmallDisk();
        using var old = Transformer(1);
        using var changed = Transformer(2);
        _mlContext.CoLM().Save(old, null, disk["model.zip"]);
        var before = File.ReadAllBytes(disk["model.zip"]);
        // Also where only the archive's end does not fit, which ML.NET passes over.
        for (var missing = 1; missing < before.Length; missing += before.Length / 12)
        {
            disk.Fill(bytesLeft: (before.Length - missing) / 4096 * 4096);
            Assert.Throws<IOException>(() => _mlContext.CoLM().Save(changed, null, disk["model.zip"]), $"{missing} bytes");
            CollectionAssert.AreEqual(before, File.ReadAllBytes(disk["model.zip"]));
            CollectionAssert.AreEquivalent(
                new[] { disk["model.zip"], disk["filler"] }, Directory.GetFiles(disk.Path));
            disk.Free();
        }
        _mlContext.CoLM().Save(changed, null, disk["model.zip"]);
        using var loaded = (ElasticScoringTransformer)_mlContext.CoLM().Load(disk["model.zip"], out _);
        ModelAssert.SameWeights(changed.Model, loaded.Model);
    }

    [TestMethod]
    public void AKilledSaveLeavesTheOldZipOrTheNewOne()
    {
        using var folder = new TemporaryFolder();
        using var transformer = Transformer(1);
        var path = folder["model.zip"];
        _mlContext.CoLM().Save(transformer, null, path);
        var random = new Random(1);
        for (var kill = 0; kill < 3; kill++)
        {
            using var save = new KilledSave(path);
            save.WaitForStart();
            Thread.Sleep(random.Next(60));
            save.Kill();
            using var loaded = (ElasticScoringTransformer)_mlContext.CoLM().Load(path, out _);
            Assert.AreEqual(2, loaded.Model.Config.ChainCount);
        }
        // What was left behind goes with the next save, once it is old.
        File.WriteAllText(path + ".left" + UnfinishedFile.Suffix, "left behind");
        foreach (var left in Directory.GetFiles(folder.Path, "*" + UnfinishedFile.Suffix))
            File.SetLastWriteTimeUtc(left, DateTime.UtcNow.AddMinutes(-5));
        _mlContext.CoLM().Save(transformer, null, path);
        CollectionAssert.AreEqual(new[] { path }, Directory.GetFiles(folder.Path));
    }

    [TestMethod]
    public void AFileThatIsBeingWrittenIsNotTakenForOneThatWasLeftBehind()
    {
        using var folder = new TemporaryFolder();
        using var transformer = Transformer(1);
        var held = folder["model.zip.held" + UnfinishedFile.Suffix];
        using (new FileStream(held, FileMode.CreateNew, FileAccess.Write, FileShare.None))
        {
            File.SetLastWriteTimeUtc(held, DateTime.UtcNow.AddMinutes(-5));
            _mlContext.CoLM().Save(transformer, null, folder["model.zip"]);
            Assert.IsTrue(File.Exists(held));
        }
        File.WriteAllText(folder["other.zip.left" + UnfinishedFile.Suffix], "another file's");
        File.SetLastWriteTimeUtc(folder["other.zip.left" + UnfinishedFile.Suffix], DateTime.UtcNow.AddMinutes(-5));
        _mlContext.CoLM().Save(transformer, null, folder["model.zip"]);
        Assert.IsFalse(File.Exists(held));
        Assert.IsTrue(File.Exists(folder["other.zip.left" + UnfinishedFile.Suffix]));
    }

    [TestMethod]
    [OSCondition(ConditionMode.Exclude, OperatingSystems.Windows)]
    [UnsupportedOSPlatform("windows")]
    public void ALinkIsReplacedAndWhatItLeadsToStays()
    {
        using var folder = new TemporaryFolder();
        using var elsewhere = new TemporaryFolder();
        using var transformer = Transformer(1);
        File.WriteAllText(elsewhere["file"], "somebody's");
        foreach (var target in new[] { elsewhere["file"], elsewhere.Path, elsewhere["nothing"] })
        {
            File.CreateSymbolicLink(folder["model.zip"], target);
            _mlContext.CoLM().Save(transformer, null, folder["model.zip"]);
            Assert.IsNull(new FileInfo(folder["model.zip"]).LinkTarget);
            _mlContext.CoLM().Load(folder["model.zip"], out _);
            Assert.AreEqual("somebody's", File.ReadAllText(elsewhere["file"]));
            CollectionAssert.AreEqual(new[] { elsewhere["file"] }, Directory.GetFileSystemEntries(elsewhere.Path));
            File.Delete(folder["model.zip"]);
        }
    }

    [TestMethod]
    [OSCondition(ConditionMode.Exclude, OperatingSystems.Windows)]
    [UnsupportedOSPlatform("windows")]
    public void AReplacedFileHandsOnItsPermissions()
    {
        using var folder = new TemporaryFolder();
        using var transformer = Transformer(1);
        _mlContext.CoLM().Save(transformer, null, folder["model.zip"]);
        var usual = File.GetUnixFileMode(folder["model.zip"]);
        File.WriteAllText(folder["plain"], "");
        Assert.AreEqual(File.GetUnixFileMode(folder["plain"]), usual);
        foreach (var mode in new[] { UnixFileMode.UserRead | UnixFileMode.UserWrite, usual | UnixFileMode.GroupWrite | UnixFileMode.OtherWrite })
        {
            File.SetUnixFileMode(folder["model.zip"], mode);
            _mlContext.CoLM().Save(transformer, null, folder["model.zip"]);
            Assert.AreEqual(mode, File.GetUnixFileMode(folder["model.zip"]));
        }
    }

    [TestMethod]
    public void WhatIsNoPlaceForAFileIsRefusedAndStays()
    {
        using var folder = new TemporaryFolder();
        using var transformer = Transformer(1);
        Directory.CreateDirectory(folder["folder"]);
        var error = Assert.ThrowsExactly<IOException>(() => _mlContext.CoLM().Save(transformer, null, folder["folder"]));
        Assert.Contains(folder["folder"], error.Message);
        Assert.ThrowsExactly<DirectoryNotFoundException>(
            () => _mlContext.CoLM().Save(transformer, null, folder["missing/model.zip"]));
        Assert.ThrowsExactly<ArgumentException>(() => _mlContext.CoLM().Save(transformer, null, ""));
        Assert.ThrowsExactly<ArgumentNullException>(() => _mlContext.CoLM().Save(null!, null, folder["model.zip"]));
        transformer.Dispose();
        Assert.Throws<ObjectDisposedException>(() => _mlContext.CoLM().Save(transformer, null, folder["model.zip"]));
        Assert.IsEmpty(Directory.GetFiles(folder.Path));
    }

    [TestMethod]
    public void WhatIsNoZipOrHoldsNoModelIsRefusedByName()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["text.zip"], "this is no model");
        Assert.Contains(folder["text.zip"],
            Assert.ThrowsExactly<InvalidDataException>(() => _mlContext.CoLM().Load(folder["text.zip"], out _)).Message);
        using (var zip = ZipFile.Open(folder["other.zip"], ZipArchiveMode.Create))
            zip.CreateEntry("readme.txt");
        Assert.Contains(folder["other.zip"],
            Assert.ThrowsExactly<InvalidDataException>(() => _mlContext.CoLM().Load(folder["other.zip"], out _)).Message);
        Assert.ThrowsExactly<FileNotFoundException>(() => _mlContext.CoLM().Load(folder["missing.zip"], out _));
        Assert.Contains("ElasticScoring(folder)",
            Assert.ThrowsExactly<InvalidDataException>(() => _mlContext.CoLM().Load(folder.Path, out _)).Message);
        Assert.ThrowsExactly<ArgumentException>(() => _mlContext.CoLM().Load("", out _));
    }

    private ElasticScoringTransformer Transformer(int seed)
    {
        _models.Add(TextModels.Random(TextModels.Config(4, 4), seed));
        return _mlContext.Scorer(_models[^1]);
    }
}
