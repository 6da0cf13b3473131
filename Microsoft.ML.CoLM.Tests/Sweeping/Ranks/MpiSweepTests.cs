using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tests.Interop;
using Microsoft.ML.CoLM.Tests.Training;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

[TestClass, DoNotParallelize]
public sealed class MpiSweepTests
{
    public TestContext TestContext { get; set; } = null!;

    [TestMethod]
    public void TwoProcessesShareASweepAndReturnTheTrialsOfOne()
    {
        if (!FreshProcess.IsThis)
        {
            MpiRanks.RunTest(TestContext, ranks: 2);
            return;
        }
        using var communicator = Communicator.FromMpi();
        var mlContext = new MLContext(seed: 1);
        using var model = TextModels.Random(4, 4);
        using var source = mlContext.Scorer(model);
        ChainSweep Sweep() => mlContext.Over(Sweeps.Rates(1e-3, 2e-2, 5e-2, 1e-1), settings =>
            mlContext.Tuning(source, settings.Get<double>("rate"))).SetMetric(SweepMetric.LogLoss);
        using var whole = Sweep().Run();
        using var shared = Sweep().SetCommunicator(communicator).Run();
        CollectionAssert.AreEqual(whole.Describe(), shared.Describe());
        Assert.AreEqual(communicator.Rank == 0, shared.Best.Model is not null);
    }
}
