using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tests.Interop;
using Microsoft.ML.CoLM.Tests.Training;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

[TestClass, DoNotParallelize]
public sealed class MpiSweepTests
{
    private const int Ranks = 2;

    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void TwoProcessesShareASweepAndReturnTheTrialsOfOne()
    {
        if (!FreshProcess.IsThis)
        {
            MpiRanks.RunTest(TestContext, Ranks);
            return;
        }
        using var communicator = Communicator.FromMpi();
        using var whole = Run(sweep => { });
        using var shared = Run(sweep => sweep.SetCommunicator(communicator));
        CollectionAssert.AreEqual(whole.Describe(), shared.Describe());
        Assert.AreEqual(communicator.Rank == 0, shared.Best.Model is not null);
    }

    [TestMethod]
    [DataRow("", "")]
    public void ASweepWhoseRanksAreKilledGoesOnToTheSameTrials(string checkpoints, string trials)
    {
        if (FreshProcess.IsThis)
        {
            SweepAsRank(checkpoints, trials);
            return;
        }
        using var folder = new TemporaryFolder();
        (checkpoints, trials) = (folder["checkpoints"], folder["trials"]);
        foreach (var killed in (int[])[1, 0, 1])
        {
            using var job = MpiRanks.Start(TestContext, Ranks, [checkpoints, trials]);
            var processes = job.Processes(Ranks);
            Assert.IsNotNull(job.WaitFor("trial "), job.Output);
            MpiRanks.Signal.Send(processes[killed], MpiRanks.Signal.Kill);
            Assert.AreNotEqual(0, job.WaitForEnd().ExitCode);
        }
        using (var last = MpiRanks.Start(TestContext, Ranks, [checkpoints, trials]))
        {
            var (code, output) = last.WaitForEnd();
            Assert.AreEqual(0, code, output);
        }
        using var whole = Run(sweep => { });
        CollectionAssert.AreEqual(whole.Describe(), File.ReadAllLines(trials));
    }

    private static void SweepAsRank(string checkpoints, string trials)
    {
        using var communicator = Communicator.FromMpi();
        MpiRanks.TellProcess(communicator);
        communicator.Barrier(); // both are known before the first trial
        using var found = Run(sweep => sweep.SetCommunicator(communicator).SetCheckpoint(checkpoints)
            .SetMonitor(new TrialRecorder(trial => MpiRanks.Tell($"trial {trial.Id}"))));
        if (communicator.Rank == 0)
            File.WriteAllLines(trials, found.Describe());
    }

    private static ChainSweepResult Run(Action<ChainSweep> prepare)
    {
        var mlContext = new MLContext(seed: 1);
        using var model = TextModels.Random(4, 4);
        using var source = mlContext.Scorer(model);
        var sweep = mlContext.Over(Sweeps.Rates(1e-3, 2e-3, 5e-3, 1e-2, 2e-2, 5e-2, 1e-1, 2e-1), settings =>
            mlContext.Tuning(source, settings.Get<double>("rate"), steps: 60)).SetMetric(SweepMetric.LogLoss).SetLatencyMeasurement(false);
        prepare(sweep);
        return sweep.Run();
    }
}
