using Microsoft.ML.CoLM.Tests.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Training;

[TestClass, DoNotParallelize]
public sealed class KillTests
{
    private const int KillsWhileTraining = 12;
    private const int KillsWhileStarting = 3;

    // So many that a process does not end before it is killed.
    private const int StepsLeftAlone = 20;

    // In milliseconds; longer than a step with its checkpoint, so that a kill falls into either.
    private const int LongestWait = 12;

    // In milliseconds; longer than a process takes to begin with training.
    private const int LongestStart = 1200;

    // Both at once, since most of the time goes to processes that start, on one core each.
    private static readonly Lazy<Dictionary<string, Task<byte[]>>> Killed = new(() =>
        ((string[])[KilledTraining.Expansion, KilledTraining.Tuning]).ToDictionary(kind => kind, kind => Task.Run(() => TrainAndKill(kind))));

    [TestMethod]
    [DataRow(KilledTraining.Expansion)]
    [DataRow(KilledTraining.Tuning)]
    public async Task ATrainingThatIsKilledAtRandomMomentsEndsAsOneThatIsNot(string kind)
    {
        var weights = await Killed.Value[kind];
        Assert.IsTrue(KilledTraining.TrainUninterrupted(kind).AsSpan().SequenceEqual(weights));
    }

    /// <summary>Trains in processes that are killed, up to one that is not.</summary>
    /// <returns>The weights that it ended with.</returns>
    private static byte[] TrainAndKill(string kind)
    {
        using var folder = new TemporaryFolder();
        var (checkpoints, weights) = (folder["checkpoints"], folder["weights"]);
        var random = new Random(1);
        var reached = 0;
        var redone = new List<int>();
        // Steps at which to kill; none for a kill while the process starts.
        var kills = Enumerable.Range(0, KillsWhileTraining)
            .Select(_ => (int?)random.Next(1, KilledTraining.Steps - StepsLeftAlone)).Order().ToList();
        for (var i = 0; i < KillsWhileStarting; i++)
            kills.Insert(random.Next(kills.Count), null);
        foreach (var kill in kills)
        {
            using var training = new KilledTraining(kind, checkpoints, weights);
            if (kill is { } step)
            {
                Assert.IsTrue(training.WaitForStep(step), $"The process ended by itself before step {step}.");
                Thread.Sleep(random.Next(LongestWait));
            }
            else
            {
                Thread.Sleep(random.Next(LongestStart));
            }
            training.Kill();
            TakeNote(training);
        }
        using (var last = new KilledTraining(kind, checkpoints, weights))
        {
            Assert.AreEqual(0, last.WaitForEnd());
            Assert.AreEqual(KilledTraining.Steps, last.LastStep);
            TakeNote(last);
        }
        Console.WriteLine($"{kind}, steps that were done again: {string.Join(' ', redone)}");
        Assert.IsLessThanOrEqualTo(KilledTraining.Interval, redone.Max());
        Assert.HasCount(6, Directory.GetFiles(checkpoints));
        return File.ReadAllBytes(weights);

        void TakeNote(KilledTraining training)
        {
            if (training.FirstStep is not { } first)
                return;
            redone.Add(reached - (first - 1));
            reached = training.LastStep;
        }
    }
}
