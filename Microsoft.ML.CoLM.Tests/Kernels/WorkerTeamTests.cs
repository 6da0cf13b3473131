using Microsoft.ML.CoLM.Kernels;

namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary>Threads that work in lockstep.</summary>
[TestClass]
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
}
