using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Kernels;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Inference;

/// <summary>How products are divided among threads.</summary>
[TestClass, DoNotParallelize]
public sealed class GemvTasksTests
{
    private const int Small = 2;
    private const int Large = 3;

    // Outputs of each group of products, and the inputs of its matrices: few weights, many, and both.
    private static readonly (int Outputs, int[] Widths)[][] Products =
    [
        [(5, [3])],
        [(1, [700])],
        [(64, [16]), (3, [16]), (40, [32])],
        [(2048, [768, 768])],
        [(768, [768]), (256, [768]), (256, [768])],
        [(32001, [64, 128, 192])],
        [(2, [8]), (3000, [300]), (10, [5000])],
    ];

    public static IEnumerable<object[]> Cases =>
        from products in Enumerable.Range(0, Products.Length)
        from threads in new[] { 1, 2, 3, 8 }
        select new object[] { products, threads };

    [TestMethod]
    [DynamicData(nameof(Cases))]
    public void EveryOutputIsComputedOnce(int products, int threads)
    {
        using var scope = NewDisposeScope();
        var groups = Groups(products);
        var tasks = new GemvTasks(groups, threads);
        Assert.AreEqual(Products[products].Sum(group => (long)group.Outputs * group.Widths.Sum()), tasks.Weights);
        for (var round = 0; round < 2; round++)
        {
            var counters = new int[tasks.CounterCount];
            var taken = Enumerable.Range(0, threads).SelectMany(thread => Take(tasks, counters, thread)).ToArray();
            foreach (var product in groups.SelectMany(group => group))
            {
                var next = 0;
                foreach (var piece in taken.SelectMany(task => task).Where(piece => piece.Weight == product.Weight)
                    .OrderBy(piece => piece.First))
                {
                    Assert.AreEqual(next, piece.First);
                    next = piece.End;
                }
                Assert.AreEqual(product.End, next);
            }
        }
    }

    [TestMethod]
    [DynamicData(nameof(Cases))]
    public void ATaskComputesTheSameOutputsOfAGroup(int products, int threads)
    {
        using var scope = NewDisposeScope();
        var groups = Groups(products);
        var tasks = new GemvTasks(groups, threads);
        var counters = new int[tasks.CounterCount];
        foreach (var task in Enumerable.Range(0, threads).SelectMany(thread => Take(tasks, counters, thread)))
        {
            for (var i = 0; i < task.Length;)
            {
                var (first, end) = (task[i].First, task[i].End);
                foreach (var product in groups.Single(group => group[0].Weight == task[i].Weight))
                {
                    Assert.AreSame(product.Weight, task[i].Weight);
                    Assert.AreEqual((first, end), (task[i].First, task[i].End));
                    i++;
                }
            }
        }
    }

    [TestMethod]
    [DataRow(2)]
    [DataRow(3)]
    public void WhoIsDoneTakesWhatOthersHaveNotBegun(int threads)
    {
        using var scope = NewDisposeScope();
        var tasks = new GemvTasks(Groups(Large), threads);
        var counters = new int[tasks.CounterCount];
        var share = (double)tasks.Weights / threads;
        var byOne = Take(tasks, counters, thread: 0).Sum(Weights);
        Assert.AreEqual(share * (1 + (threads - 1) * 0.25), byOne, share * 0.05);
        // A share's largest part waits for its owner.
        for (var thread = 1; thread < threads; thread++)
        {
            var own = Take(tasks, counters, thread);
            Assert.HasCount(1, own);
            Assert.AreEqual(share * 0.75, Weights(own[0]), share * 0.05);
        }
    }

    [TestMethod]
    public void SmallSharesAreLeftToTheirOwners()
    {
        using var scope = NewDisposeScope();
        var tasks = new GemvTasks(Groups(Small), threads: 2);
        var counters = new int[tasks.CounterCount];
        Assert.HasCount(1, Take(tasks, counters, thread: 0));
        Assert.HasCount(1, Take(tasks, counters, thread: 1));
    }

    [TestMethod]
    public void TasksAreTakenOnceByThreadsThatRace()
    {
        using var scope = NewDisposeScope();
        var tasks = new GemvTasks(Groups(Large), threads: 4);
        using var team = new WorkerTeam(4);
        var weights = new long[4];
        for (var round = 0; round < 200; round++)
        {
            var counters = new int[tasks.CounterCount];
            team.Run(thread => weights[thread] = Take(tasks, counters, thread).Sum(Weights));
            Assert.AreEqual(tasks.Weights, weights.Sum());
        }
    }

    private static List<GemvPiece[]> Take(GemvTasks tasks, int[] counters, int thread)
    {
        List<GemvPiece[]> taken = [];
        while (tasks.TryTake(counters, thread, out var task))
            taken.Add(task);
        return taken;
    }

    private static long Weights(GemvPiece[] task) => task.Sum(piece => piece.Weights);

    private static GemvPiece[][] Groups(int products) => Array.ConvertAll(Products[products], group =>
        Array.ConvertAll(group.Widths, width => new GemvPiece(
            WeightMatrix.Of(new(zeros([group.Outputs, width])), rounds: true), 0, group.Outputs, width, XColumn: 0, SlotBuffer.Query, group.Outputs, YColumn: 0,
            Adds: false)));
}
