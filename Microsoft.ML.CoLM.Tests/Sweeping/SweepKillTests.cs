using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

[TestClass, DoNotParallelize]
public sealed class SweepKillTests
{
    private const int Kills = 6;

    // In milliseconds; longer than two candidates take, so that kills fall into all that a sweep does.
    private const int LongestWait = 400;

    [TestMethod]
    public void ASweepThatIsKilledAtRandomMomentsEndsWithTheTrialsOfOneThatIsNot()
    {
        using var folder = new TemporaryFolder();
        var random = new Random(1);
        List<string> told = [];
        for (var kill = 0; kill < Kills; kill++)
        {
            using var sweep = new KilledSweep(folder.Path);
            Assert.AreEqual("begins", sweep.ReadLine());
            Thread.Sleep(random.Next(LongestWait));
            told.AddRange(sweep.Kill());
        }
        using (var last = new KilledSweep(folder.Path))
        {
            told.AddRange(last.WaitForEnd().Skip(1));
            Assert.AreEqual(0, last.ExitCode);
        }
        var whole = KilledSweep.Run(folder: null);
        var found = KilledSweep.Run(folder.Path);
        Assert.HasCount(2 * KilledSweep.Candidates, found.Trials);
        CollectionAssert.AreEqual(whole.Describe(), found.Describe());
        CollectionAssert.AllItemsAreUnique(told); // none twice
        CollectionAssert.IsSubsetOf(told, found.Describe());
        Sweeps.HasTheModelsOfItsFrontier(found);
        var mlContext = new MLContext(seed: 1);
        CollectionAssert.AreEqual(mlContext.Predict(whole.Best.Model!, Tuning.Data).Scores(),
            mlContext.Predict(found.Best.Model!, Tuning.Data).Scores());
        whole.DisposeModels();
        found.DisposeModels();
    }
}
