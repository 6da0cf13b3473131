using Microsoft.ML.CoLM.Kernels;

namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary>Threads that work in lockstep.</summary>
[TestClass, DoNotParallelize]
public sealed class WorkerTeamTests
{
    [TestMethod]
    [DataRow(1)]
    [DataRow(2)]
    [DataRow(5)]
    public void EveryThreadComesToEveryStep(int count)
    {
        using var team = new WorkerTeam(count);
        var sums = new int[count];
        for (var round = 0; round < 50; round++)
        {
            // Each reads what its neighbour wrote before the step.
            team.Run(thread =>
            {
                sums[thread] = round + thread;
                team.Synchronise();
                var neighbour = sums[(thread + 1) % count];
                team.Synchronise();
                sums[thread] = neighbour;
            });
            for (var thread = 0; thread < count; thread++)
                Assert.AreEqual(round + (thread + 1) % count, sums[thread]);
            if (round % 10 == 0)
                Thread.Sleep(5); // long enough for the threads to fall asleep
        }
    }

    [TestMethod]
    [DataRow(1, 7, 1)]
    [DataRow(3, 7, 1)]
    [DataRow(3, 30, 4)]
    [DataRow(5, 2, 4)]
    public void SharesCoverAllItemsOnce(int count, int items, int grain)
    {
        using var team = new WorkerTeam(count);
        var next = 0;
        for (var thread = 0; thread < count; thread++)
        {
            var (first, end) = team.Share(thread, items, grain);
            Assert.AreEqual(next, first);
            Assert.IsTrue(first % grain == 0 || first == items);
            next = end;
        }
        Assert.AreEqual(items, next);
    }

    [TestMethod]
    public void ItEndsWhetherItsThreadsSleepOrNot()
    {
        for (var i = 0; i < 20; i++)
        {
            var team = new WorkerTeam(3);
            team.Run(_ => { });
            Thread.Sleep(i % 3);
            team.Dispose();
            team.Dispose();
        }
    }

    [TestMethod]
    [DataRow(1, 0)]
    [DataRow(3, 0)]
    [DataRow(3, 1)]
    [DataRow(3, 2)]
    [Timeout(20_000, CooperativeCancellation = true)]
    public void WhatOneThreadThrowsComesOutWhateverTheOthersWaitFor(int count, int thrower)
    {
        using var team = new WorkerTeam(count);
        for (var step = 0; step < 3; step++)
        {
            var ended = 0;
            var error = Assert.ThrowsExactly<NotSupportedException>(() => team.Run(thread =>
            {
                try
                {
                    for (var i = 0; i < 3; i++)
                    {
                        if (thread == thrower && i == step)
                            throw new NotSupportedException("mine");
                        team.Synchronise();
                    }
                }
                finally
                {
                    Interlocked.Increment(ref ended);
                }
            }));
            Assert.AreEqual("mine", error.Message);
            Assert.AreEqual(count, ended, "Nobody is at work any more.");
            var sum = 0;
            team.Run(thread => Interlocked.Add(ref sum, thread + 1));
            Assert.AreEqual(count * (count + 1) / 2, sum, "The team works on.");
        }
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(3)]
    public void ADisposedTeamDoesNoWork(int count)
    {
        var team = new WorkerTeam(count);
        team.Run(_ => { });
        team.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => team.Run(_ => { }));
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    [Timeout(20_000, CooperativeCancellation = true)]
    public void ATeamThatIsDisposedByItsWorkDoesTheWorkFirst(int disposer)
    {
        var team = new WorkerTeam(2);
        var done = 0;
        team.Run(thread =>
        {
            if (thread == disposer)
                team.Dispose();
            team.Synchronise();
            Interlocked.Increment(ref done);
        });
        Assert.AreEqual(2, done);
        Assert.ThrowsExactly<ObjectDisposedException>(() => team.Run(_ => { }));
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(1)]
    [Timeout(20_000, CooperativeCancellation = true)]
    public void WorkThatGivesItsOwnTeamWorkIsRefused(int nested)
    {
        using var team = new WorkerTeam(2);
        Assert.ThrowsExactly<InvalidOperationException>(() => team.Run(thread =>
        {
            if (thread == nested)
                team.Run(_ => { });
        }));
    }

    /// <summary>Callers that give work, some of it fails, others dispose the team: all of it with pauses anywhere.</summary>
    [TestMethod]
    [DataRow(2)]
    [DataRow(5)]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void WhateverThrowsWheneverEverybodyMeets(int count)
    {
        for (var seed = 0; seed < 16; seed++)
        {
            var team = new WorkerTeam(count);
            Task[] callers = [.. Enumerable.Range(0, 3).Select(caller => Task.Factory.StartNew(
                () => Work(team, 1000 * seed + 100 * caller), TaskCreationOptions.LongRunning))];
            if (seed % 4 == 0)
            {
                Pause(new Random(seed));
                team.Dispose();
            }
            Task.WaitAll(callers);
            team.Dispose();
            Assert.ThrowsExactly<ObjectDisposedException>(() => team.Run(_ => { }));
        }
    }

    // Thirty pieces of work, or until the team is disposed.
    private static void Work(WorkerTeam team, int seed)
    {
        var random = new Random(seed);
        for (var round = 0; round < 30; round++)
        {
            var (fails, thrower, step) = (random.Next(3) == 0, random.Next(team.Count), random.Next(4));
            var (arrived, own) = (0, seed + round);
            try
            {
                team.Run(thread =>
                {
                    var pauses = new Random(own + thread);
                    for (var i = 0; i < 4; i++)
                    {
                        Pause(pauses);
                        if (fails && thread == thrower && i == step)
                            throw new NotSupportedException($"{own}");
                        Interlocked.Increment(ref arrived);
                        team.Synchronise();
                        Assert.IsGreaterThanOrEqualTo(team.Count * (i + 1), Volatile.Read(ref arrived));
                    }
                });
                Assert.IsFalse(fails);
                Assert.AreEqual(4 * team.Count, arrived);
            }
            catch (NotSupportedException e)
            {
                Assert.IsTrue(fails);
                Assert.AreEqual($"{own}", e.Message);
            }
            catch (ObjectDisposedException)
            {
                return;
            }
        }
    }

    private static void Pause(Random random)
    {
        switch (random.Next(12))
        {
            case 0: Thread.Sleep(random.Next(2)); break;
            case 1: Thread.SpinWait(random.Next(20_000)); break;
            case 2: Thread.Yield(); break;
        }
    }
}
