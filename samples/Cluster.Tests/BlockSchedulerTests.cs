using ClusterSample.Client;
using ClusterSample.Contracts;

namespace ClusterSample.Tests;

[TestClass]
public sealed class BlockSchedulerTests
{
    private const int RowsOfBlock = 10;

    private long _read;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod, Timeout(20_000)]
    public void BlocksComeOnceAndInOrderWhateverOrderTheyAreScoredIn()
    {
        var random = new Random(1);
        FakeSilo[] silos = [.. Enumerable.Range(0, 3).Select(i => new FakeSilo($"silo {i}", async (block, _) =>
        {
            int delay;
            lock (random)
                delay = random.Next(4);
            await Task.Delay(delay, TestContext.CancellationToken);
        }))];
        using var scheduler = Create(blocks: 200, new() { InFlight = 16 });
        foreach (var silo in silos)
            scheduler.Join(silo);

        CollectionAssert.AreEqual(Numbers(200), Drain(scheduler));
        CollectionAssert.AreEquivalent(Numbers(200), silos.SelectMany(silo => silo.Scored).ToArray());
    }

    [TestMethod, Timeout(20_000)]
    public void NoMoreBlocksAreReadThanAreInFlight()
    {
        using var scheduler = Create(blocks: 100, new() { InFlight = 5 });
        scheduler.Join(new FakeSilo("silo"));

        for (var taken = 1; taken <= 100; taken++)
        {
            scheduler.Next();
            Assert.IsLessThanOrEqualTo(taken - 1 + 5, Interlocked.Read(ref _read));
        }
        Assert.IsNull(scheduler.Next());
    }

    [TestMethod, Timeout(20_000)]
    public void BlocksOfASiloThatDiesAreScoredElsewhere()
    {
        var count = 0;
        var mortal = new FakeSilo("mortal", (_, _) =>
            Interlocked.Increment(ref count) > 3 ? throw new ScoringUnavailableException("gone") : Task.CompletedTask);
        var other = new FakeSilo("other", (_, cancellation) => Task.Delay(2, cancellation));
        var progress = new Recorder();
        using var scheduler = Create(blocks: 50, new(), progress);
        scheduler.Join(mortal);
        scheduler.Join(other);

        CollectionAssert.AreEqual(Numbers(50), Drain(scheduler));
        CollectionAssert.AreEquivalent(Numbers(50), mortal.Scored.Concat(other.Scored).ToArray());
        Assert.HasCount(3, mortal.Scored);
        Assert.AreEqual(50 * RowsOfBlock, progress.Last.Rows);
        Assert.IsGreaterThan(0, progress.Last.Retries);
    }

    [TestMethod, Timeout(20_000)]
    public void ASiloThatRetiresFinishesWhatItHasAndGetsNoMore()
    {
        using var retirement = new CancellationTokenSource();
        var leaving = new FakeSilo("leaving", retired: retirement.Token);
        using var scheduler = Create(blocks: 50, new() { InFlight = 2 });
        scheduler.Join(leaving);
        for (var i = 0; i < 10; i++)
            scheduler.Next();
        retirement.Cancel();
        var other = new FakeSilo("other");
        scheduler.Join(other);

        CollectionAssert.AreEqual(Numbers(50)[10..], Drain(scheduler));
        Assert.IsLessThanOrEqualTo(13, leaving.Scored.Count);
    }

    [TestMethod, Timeout(20_000)]
    public void ASiloThatJoinsGetsBlocks()
    {
        using var scheduler = Create(blocks: 100, new() { InFlight = 4 });
        scheduler.Join(new FakeSilo("first", (_, cancellation) => Task.Delay(5, cancellation)));
        for (var i = 0; i < 10; i++)
            scheduler.Next();
        var third = new FakeSilo("third", (_, cancellation) => Task.Delay(5, cancellation));
        scheduler.Join(third);

        Assert.HasCount(90, Drain(scheduler));
        Assert.IsGreaterThan(20, third.Scored.Count);
    }

    [TestMethod, Timeout(20_000)]
    public void RowsThatCannotBeScoredEndWithTheirOwnErrorAfterTheRowsBefore()
    {
        var attempts = 0;
        using var scheduler = Create(blocks: 20, new());
        scheduler.Join(new FakeSilo("silo", (block, _) =>
        {
            if (block.Index != 7)
                return Task.CompletedTask;
            attempts++;
            throw RowsFailedException.Of(block, "Row 3 has no choice.");
        }));

        for (var i = 0; i < 7; i++)
            Assert.AreEqual(i, IndexOf(scheduler.Next()!));
        var error = Assert.ThrowsExactly<RowsFailedException>(() => scheduler.Next());
        Assert.Contains("Rows 70 to 79", error.Message);
        Assert.Contains("Row 3 has no choice.", error.Message);
        Assert.AreEqual(1, attempts);
    }

    [TestMethod, Timeout(20_000)]
    public void ABlockThatEverySiloIsLostWithIsGivenUp()
    {
        using var scheduler = Create(blocks: 20, new() { Attempts = 3, BlocksPerSilo = 1 });
        for (var i = 0; i < 5; i++)
        {
            scheduler.Join(new FakeSilo($"silo {i}", (block, _) =>
                block.Index == 2 ? throw new ScoringUnavailableException("it ran out of memory") : Task.CompletedTask));
        }

        scheduler.Next();
        scheduler.Next();
        var error = Assert.ThrowsExactly<RowsFailedException>(() => scheduler.Next());
        Assert.Contains("Rows 20 to 29 were lost with 3 silos", error.Message);
        Assert.Contains("it ran out of memory", error.Message);
    }

    [TestMethod, Timeout(20_000)]
    public void WithoutASiloThereIsAnErrorAfterTheWait()
    {
        using var scheduler = Create(blocks: 20, new() { Wait = TimeSpan.FromMilliseconds(300) });

        var error = Assert.ThrowsExactly<ScoringUnavailableException>(() => scheduler.Next());
        Assert.AreEqual("there is none", error.Message);
    }

    [TestMethod, Timeout(20_000)]
    public void AnErrorOfTheSourceComesAfterTheRowsBefore()
    {
        using var scheduler = new BlockScheduler(
            () => _read == 4 ? throw new InvalidDataException("line 5") : Read(int.MaxValue), new(), () => "");
        scheduler.Join(new FakeSilo("silo"));

        for (var i = 0; i < 4; i++)
            Assert.AreEqual(i, IndexOf(scheduler.Next()!));
        Assert.AreEqual("line 5", Assert.ThrowsExactly<InvalidDataException>(() => scheduler.Next()).Message);
    }

    [TestMethod, Timeout(20_000)]
    public void CancellationEndsTheWaitForASiloThatHangs()
    {
        using var cancellation = new CancellationTokenSource();
        using var scheduler = new BlockScheduler(() => Read(20), new(), () => "", cancellationToken: cancellation.Token);
        scheduler.Join(new FakeSilo("hangs", (_, token) => Task.Delay(Timeout.Infinite, token)));
        cancellation.CancelAfter(100);

        Assert.Throws<OperationCanceledException>(() => scheduler.Next());
    }

    private static long[] Numbers(int count) => [.. Enumerable.Range(0, count).Select(i => (long)i)];

    private static long IndexOf(ScoredBlock scored) => BitConverter.ToInt64(scored.Scores);

    private static long[] Drain(BlockScheduler scheduler)
    {
        List<long> indices = [];
        while (scheduler.Next() is { } scored)
            indices.Add(IndexOf(scored));
        return [.. indices];
    }

    private BlockScheduler Create(int blocks, SchedulerOptions options, IProgress<ScoringProgress>? progress = null) =>
        new(() => Read(blocks), options, () => "there is none", progress);

    private InputBlock? Read(long blocks)
    {
        if (_read == blocks)
            return null;
        var index = Interlocked.Increment(ref _read) - 1;
        return new(index, index * RowsOfBlock, RowsOfBlock, new ScoringRequest("", null, [], []));
    }

    private sealed class Recorder : IProgress<ScoringProgress>
    {
        public ScoringProgress Last { get; private set; }

        public void Report(ScoringProgress value) => Last = value;
    }
}
