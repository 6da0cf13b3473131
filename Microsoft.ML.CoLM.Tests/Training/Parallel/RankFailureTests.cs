using System.Diagnostics;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tests.Interop;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>What ends a job: nobody waits for a rank that does not come.</summary>
[TestClass, DoNotParallelize]
public sealed class RankFailureTests
{
    private static readonly TimeSpan LongLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ShortLimit = TimeSpan.FromSeconds(2);

    // How soon after a rank's end, or the end of the time limit, all have ended.
    private static readonly TimeSpan Soon = TimeSpan.FromSeconds(30);

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    [DataRow("before a step", "Rank 1 failed: No more rows.")]
    [DataRow("in a step", "Rank 1 failed: The disk is full.")]
    [DataRow("behind the last step", "Rank 1 ended before ")]
    [DataRow("without a communicator", "Rank 1 did not come to ")]
    [DataRow("in other calls", "The ranks do not make the same calls: rank 0 comes to a sum of 2 numbers, rank 1 to a Barrier")]
    public void ARankThatGoesAnotherWayIsNamedToTheOthers(string when, string message)
    {
        if (!FreshProcess.IsThis)
        {
            // Who leaves MPI without its end, as after a failure, ends with an error code.
            using var job = MpiRanks.Start(TestContext, ranks: 2, [when, message]);
            var output = job.WaitForEnd().Output;
            StringAssert.Contains(output, "rank 0 is content", output);
            StringAssert.Contains(output, "rank 1 is content", output);
            return;
        }
        using var communicator = Communicator.FromMpi(when is "without a communicator" or "in other calls" ? ShortLimit : LongLimit);
        var isOther = communicator.Rank == 1;
        var start = Stopwatch.GetTimestamp();
        if (isOther)
            GoAnotherWay(communicator, when);
        else
            Wait(communicator, when, message);
        Assert.IsLessThan(Soon, Stopwatch.GetElapsedTime(start));
        MpiRanks.Tell($"rank {communicator.Rank} is content");
        if (isOther)
            Thread.Sleep(ShortLimit * 4); // or else its end would end the other
    }

    [TestMethod]
    public void ARankThatNeverBeginsIsNoticed()
    {
        if (!FreshProcess.IsThis)
        {
            using var job = MpiRanks.Start(TestContext, ranks: 2, []);
            StringAssert.Contains(job.WaitForEnd().Output, "MPI did not begin within 00:00:02: not every process of the job of 2 called ");
            return;
        }
        if (Environment.GetEnvironmentVariable("OMPI_COMM_WORLD_RANK") == "1")
            Thread.Sleep(ShortLimit * 5);
        else
            throw Assert.ThrowsExactly<CommunicatorException>(() => Communicator.FromMpi(ShortLimit));
    }

    [TestMethod]
    public void ARankThatIsStoppedForLongerThanTheTimeLimitEndsAll()
    {
        if (FreshProcess.IsThis)
        {
            TrainForEver(ShortLimit);
            return;
        }
        using var job = MpiRanks.Start(TestContext, ranks: 2, []);
        var stopped = job.Processes(2)[1];
        Assert.IsNotNull(job.WaitFor("step 3"));
        MpiRanks.Signal.Send(stopped, MpiRanks.Signal.Stop);
        var start = Stopwatch.GetTimestamp();
        var (code, output) = job.WaitForEnd();
        Assert.AreNotEqual(0, code);
        StringAssert.Contains(output, "Rank 1 did not come to ");
        Assert.IsLessThan(ShortLimit + Soon, Stopwatch.GetElapsedTime(start));
        while (IsThere(stopped))
        {
            Assert.IsLessThan(ShortLimit + Soon, Stopwatch.GetElapsedTime(start), "The rank that was stopped is there still.");
            Thread.Sleep(100);
        }
    }

    [TestMethod]
    public void AnMpiThatDidNotStartTheProcessIsRefused()
    {
        if (!FreshProcess.IsThis)
        {
            MpiRanks.RequireLauncher();
            FreshProcess.RunTest(TestContext, new() { ["OMPI_COMM_WORLD_SIZE"] = "3" });
            return;
        }
        // Started by nobody, Open MPI is a job of one.
        var error = Assert.ThrowsExactly<InvalidOperationException>(() => Communicator.FromMpi(LongLimit));
        StringAssert.Contains(error.Message, "This process was started as one of 3, but Open MPI");
    }

    [TestMethod]
    public void WithoutMpiTheErrorNamesThePackage()
    {
        if (!FreshProcess.IsThis)
        {
            FreshProcess.RunTest(TestContext, new() { ["COLM_MPI"] = "/no/such/libmpi.so.40" });
            return;
        }
        var error = Assert.ThrowsExactly<DllNotFoundException>(() => Communicator.FromMpi());
        StringAssert.Contains(error.Message, "COLM_MPI is '/no/such/libmpi.so.40', which cannot be loaded");
    }

    private static void GoAnotherWay(Communicator communicator, string when)
    {
        switch (when)
        {
            case "before a step":
                Assert.Throws<Exception>(() => Fit(communicator,
                    rows: Expansion.Corpus.Take(3).Append(null).Select(text => text ?? throw new InvalidOperationException("No more rows."))));
                break;
            case "in a step":
                Assert.ThrowsExactly<IOException>(() => Fit(communicator,
                    new Recorder(progress => _ = progress.Step == 3 ? throw new IOException("The disk is full.") : 0)));
                break;
            case "behind the last step":
                Fit(communicator);
                communicator.Dispose();
                break;
            case "without a communicator":
                Fit(communicator: null);
                break;
            default:
                _ = Assert.ThrowsExactly<CommunicatorException>(communicator.Barrier);
                break;
        }
    }

    private static void Wait(Communicator communicator, string when, string message)
    {
        if (when == "behind the last step")
            Fit(communicator);
        var error = Assert.ThrowsExactly<CommunicatorException>(() => Fit(communicator));
        StringAssert.Contains(error.Message, message);
        if (when != "in other calls")
            CollectionAssert.AreEqual(new[] { 1 }, error.Ranks.ToArray());
        Assert.ThrowsExactly<CommunicatorException>(communicator.Barrier, "A broken communicator stays broken.");
    }

    private static bool IsThere(int process)
    {
        try
        {
            return !Process.GetProcessById(process).HasExited;
        }
        catch (ArgumentException)
        {
            return false;
        }
    }

    private static void TrainForEver(TimeSpan limit)
    {
        using var communicator = Communicator.FromMpi(limit);
        MpiRanks.TellProcess(communicator);
        Fit(communicator, new Recorder(progress =>
        {
            if (communicator.Rank == 0)
                MpiRanks.Tell($"step {progress.Step}");
        }), steps: 1_000_000);
    }

    private static void Fit(Communicator? communicator, Recorder? progress = null, IEnumerable<string?>? rows = null, int steps = 6)
    {
        using var start = TextModels.Random(4);
        var options = Expansion.Grow(start, steps, 4);
        (options.GradientAccumulationSteps, options.Communicator, options.Progress) = (2, communicator, progress);
        var mlContext = new MLContext();
        var input = mlContext.Data.LoadFromEnumerable((rows ?? Expansion.Corpus).Select(text => new Document { Text = text! }));
        using var fitted = mlContext.Transforms.ChainExpansion(options).Fit(input);
    }

    private sealed class Document
    {
        public string Text { get; set; } = "";
    }
}
