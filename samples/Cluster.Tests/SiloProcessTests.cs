using ClusterSample.Client;
using ClusterSample.Commands;
using ClusterSample.Membership;
using Microsoft.ML;
using TorchSharp;

namespace ClusterSample.Tests;

/// <summary>Clusters of real silo processes.</summary>
[TestClass]
public sealed class SiloProcessTests
{
    private const int TestTimeout = 240_000;

    private static readonly DirectoryInfo Folder = Directory.CreateTempSubdirectory("colm-cluster-tests-");
    private static readonly string ModelPath = Path.Combine(Folder.FullName, "model.zip");
    private static readonly string OtherModelPath = Path.Combine(Folder.FullName, "other.zip");
    private static readonly string ChoiceModelPath = Path.Combine(Folder.FullName, "choices.zip");

    public TestContext TestContext { get; set; } = null!;

    private CancellationToken Cancellation => TestContext.CancellationToken;

    [ClassInitialize]
    public static void SaveModels(TestContext context)
    {
        Zips.SaveLanguageModel(ModelPath, seed: 1);
        Zips.SaveLanguageModel(OtherModelPath, seed: 2);
        Zips.SaveChoiceModel(ChoiceModelPath);
    }

    [ClassCleanup]
    public static void DeleteModels() => Folder.Delete(recursive: true);

    [TestMethod, Timeout(TestTimeout, CooperativeCancellation = true)]
    public async Task ASiloIsKilledAndAnotherJoinsAndTheScoresAreThoseOfTransform()
    {
        using var file = ModelFile.Load(ModelPath, Cancellation);
        using var cluster = await PrivateCluster.StartAsync(ModelPath, count: 2, threads: 1, Cancellation);
        // A silo with another model is passed over, and stalls nothing.
        using var wrong = await SiloProcess.StartAsync(OtherModelPath, cluster.Membership, threads: 1, Cancellation);
        // The second half of the rows waits for the third silo.
        var joined = new TaskCompletionSource<string>();
        var rows = Zips.Texts(file.MLContext, 1_280, row =>
        {
            if (row == 640)
                joined.Task.Wait(Cancellation);
        });
        var report = new JobReport(everySeconds: int.MaxValue);
        var changes = new Changes(cluster, kills: true, joins: true, afterRows: 256, Cancellation);
        var log = new List<string>();
        await using (var scorer = await ClusterScorer.ConnectAsync(file, new()
        {
            Membership = cluster.Membership,
            BlockSize = 64,
            Progress = report,
            Log = line =>
            {
                lock (log)
                    log.Add(line);
                if (report.Rows > 0 && line.EndsWith(" scores.", StringComparison.Ordinal))
                    joined.TrySetResult(line);
            },
        }, Cancellation))
        {
            report.Scored = changes.Scored;
            torch.set_num_threads(1);
            Assert.IsNull(ViewComparison.FirstDifference(file.Model.Transform(rows), scorer.Transform(rows)));
            changes.Wait();
        }

        Assert.AreEqual(1_280, report.Rows);
        var third = (await joined.Task).Split(' ')[1];
        Assert.IsTrue(report.Blocks.ContainsKey(third), string.Join('\n', log));
        Assert.AreEqual(1_280 / 64, report.Blocks.Values.Sum());
        Assert.IsTrue(log.Exists(line => line.StartsWith("Passes over silo", StringComparison.Ordinal)), string.Join('\n', log));
    }

    [TestMethod, Timeout(TestTimeout, CooperativeCancellation = true)]
    public async Task WhereEverySiloHoldsAnotherModelTheErrorNamesBoth()
    {
        using var file = ModelFile.Load(ModelPath, Cancellation);
        using var other = ModelFile.Load(OtherModelPath, Cancellation);
        using var cluster = await PrivateCluster.StartAsync(OtherModelPath, count: 1, threads: 1, Cancellation);

        var error = await Assert.ThrowsExactlyAsync<ScoringUnavailableException>(() => ClusterScorer.ConnectAsync(
            file, new() { Membership = cluster.Membership, Scheduling = new() { Wait = TimeSpan.FromSeconds(4) } }, Cancellation));
        Assert.Contains(file.Hash, error.Message);
        Assert.Contains(other.Hash, error.Message);
    }

    [TestMethod, Timeout(TestTimeout, CooperativeCancellation = true)]
    public async Task ARowThatAlwaysFailsEndsWithItsOwnErrorAfterTheRowsBefore()
    {
        using var file = ModelFile.Load(ChoiceModelPath, Cancellation);
        using var cluster = await PrivateCluster.StartAsync(ChoiceModelPath, count: 1, threads: 1, Cancellation);
        await using var scorer = await ClusterScorer.ConnectAsync(
            file, new() { Membership = cluster.Membership, BlockSize = 64 }, Cancellation);
        var scored = scorer.Transform(Zips.Choices(file.MLContext, 256, withoutChoice: 130));
        using var cursor = scored.GetRowCursor([scored.Schema["Score"]]);

        for (var row = 0; row < 128; row++)
            Assert.IsTrue(cursor.MoveNext());
        var error = Assert.ThrowsExactly<RowsFailedException>(() => cursor.MoveNext());
        Assert.Contains("Rows 128 to 191", error.Message);
        Assert.Contains("Row 2, counted from 0, has no choice", error.Message);
    }

    [TestMethod, Timeout(TestTimeout, CooperativeCancellation = true)]
    public async Task WithoutASiloTheErrorSaysWhereItLooked()
    {
        using var file = ModelFile.Load(ModelPath, Cancellation);
        var membership = ClusterMembership.Parse($"file={Path.Combine(Folder.FullName, "nobody.json")}");

        var error = await Assert.ThrowsExactlyAsync<ScoringUnavailableException>(() => ClusterScorer.ConnectAsync(
            file, new() { Membership = membership, Scheduling = new() { Wait = TimeSpan.FromSeconds(1) } }, Cancellation));
        Assert.Contains("nobody.json lists none", error.Message);
    }

    [TestMethod]
    public async Task WhatDoesNotFitTheModelIsRefusedBeforeASiloIsAsked()
    {
        using var file = ModelFile.Load(ModelPath, Cancellation);
        var membership = ClusterMembership.Parse($"file={Path.Combine(Folder.FullName, "nobody.json")}");
        Task Connect(ClientOptions options) => ClusterScorer.ConnectAsync(file, options, Cancellation);

        var error = await Assert.ThrowsExactlyAsync<ArgumentException>(
            () => Connect(new() { Membership = membership, BlockSize = 100 }));
        Assert.Contains("multiple of the model's batch size, 64, found 100", error.Message);
        await Assert.ThrowsExactlyAsync<ArgumentOutOfRangeException>(
            () => Connect(new() { Membership = membership, ChainCount = 3 }));
        var rows = Zips.Choices(file.MLContext, 4, withoutChoice: -1);
        var missing = Assert.ThrowsExactly<ArgumentException>(
            () => ClusterScorer.Check(file, new() { Membership = membership }, rows.Schema));
        Assert.Contains("'Text'", missing.Message);
    }
}
