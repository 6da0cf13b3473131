using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Interop;

namespace Microsoft.ML.CoLM.Tests.Training;

[TestClass, DoNotParallelize]
public sealed class RankKillTests
{
    private const string Kind = "adapters with dropout";
    private const int Ranks = 2;
    private const int Steps = 120;
    private const int Kills = 10;

    // In milliseconds; longer than a step with its exchange and its checkpoint, so that a kill falls anywhere.
    private const int LongestWait = 12;

    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow("", "")]
    public void ATrainingWhoseRanksAreKilledAtRandomMomentsEndsAsOneThatIsNot(string checkpoints, string weights)
    {
        if (FreshProcess.IsThis)
        {
            TrainAsRank(checkpoints, weights);
            return;
        }
        using var folder = new TemporaryFolder();
        (checkpoints, weights) = (folder["checkpoints"], folder["weights"]);
        var random = new Random(2);
        foreach (var step in Enumerable.Range(0, Kills).Select(_ => random.Next(1, Steps - 10)).Order())
        {
            using var job = MpiRanks.Start(TestContext, Ranks, [checkpoints, weights]);
            var processes = job.Processes(Ranks);
            while (int.Parse(job.WaitFor("step ") ?? throw new AssertFailedException(job.Output), CultureInfo.InvariantCulture) < step)
                continue;
            Thread.Sleep(random.Next(LongestWait));
            MpiRanks.Signal.Send(processes[random.Next(Ranks)], MpiRanks.Signal.Kill);
            var start = Stopwatch.GetTimestamp();
            var (code, output) = job.WaitForEnd();
            Assert.AreNotEqual(0, code, output);
            Assert.IsLessThan(Soon, Stopwatch.GetElapsedTime(start));
        }
        using (var last = MpiRanks.Start(TestContext, Ranks, [checkpoints, weights]))
        {
            var (code, output) = last.WaitForEnd();
            Assert.AreEqual(0, code, output);
        }

        // Two ranks with a pass each are as one process with two.
        var whole = RankedTraining.Kinds[Kind](new MLContext(), new(Steps, Ranks, Communicator: null));
        Assert.IsTrue(MemoryMarshal.AsBytes(whole.Weights.AsSpan()).SequenceEqual(File.ReadAllBytes(weights)));
    }

    private static void TrainAsRank(string checkpoints, string weights)
    {
        using var communicator = Communicator.FromMpi(TimeSpan.FromSeconds(20));
        MpiRanks.TellProcess(communicator);
        communicator.Barrier(); // both are known before the first step
        var outcome = RankedTraining.Kinds[Kind](new MLContext(), new(Steps, Ranks, communicator, checkpoints, step =>
        {
            if (communicator.Rank == 0)
                MpiRanks.Tell($"step {step}");
        }));
        if (communicator.Rank == 0)
            File.WriteAllBytes(weights, MemoryMarshal.AsBytes(outcome.Weights.AsSpan()));
    }
}
