using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Tests.Training;

[TestClass]
public sealed class LearningRateScheduleTests
{
    private const double Peak = 2e-3;
    private const double Tolerance = 1e-15;

    [TestMethod]
    [DataRow(LearningRateDecay.Cosine)]
    [DataRow(LearningRateDecay.Linear)]
    [DataRow(LearningRateDecay.None)]
    public void TheRateRisesInEqualSteps(LearningRateDecay decay)
    {
        var schedule = new LearningRateSchedule(Peak, WarmupSteps: 4, TotalSteps: 20, decay);
        Assert.AreEqual(Peak / 4, schedule.At(0), Tolerance);
        Assert.AreEqual(Peak / 2, schedule.At(1), Tolerance);
        Assert.AreEqual(Peak * 3 / 4, schedule.At(2), Tolerance);
        Assert.AreEqual(Peak, schedule.At(3), Tolerance);
        Assert.AreEqual(Peak, schedule.At(4), Tolerance);
    }

    [TestMethod]
    [DataRow(LearningRateDecay.Cosine, 30, 1.0)]
    [DataRow(LearningRateDecay.Cosine, 120, 0.75)]
    [DataRow(LearningRateDecay.Cosine, 165, 0.5)]
    [DataRow(LearningRateDecay.Cosine, 210, 0.25)]
    [DataRow(LearningRateDecay.Cosine, 300, 0.0)]
    [DataRow(LearningRateDecay.Linear, 30, 1.0)]
    [DataRow(LearningRateDecay.Linear, 57, 0.9)]
    [DataRow(LearningRateDecay.Linear, 165, 0.5)]
    [DataRow(LearningRateDecay.Linear, 300, 0.0)]
    [DataRow(LearningRateDecay.None, 30, 1.0)]
    [DataRow(LearningRateDecay.None, 299, 1.0)]
    public void TheRateFallsAsItsDecaySays(LearningRateDecay decay, int step, double share) => Assert.AreEqual(
        share * Peak, new LearningRateSchedule(Peak, WarmupSteps: 30, TotalSteps: 300, decay).At(step), Tolerance);

    [TestMethod]
    [DataRow(LearningRateDecay.Cosine)]
    [DataRow(LearningRateDecay.Linear)]
    public void EveryStepHasARateAboveZero(LearningRateDecay decay)
    {
        var schedule = new LearningRateSchedule(Peak, WarmupSteps: 3, TotalSteps: 50, decay);
        for (var step = 0; step < 50; step++)
        {
            Assert.IsGreaterThan(0, schedule.At(step));
            if (step > 3)
                Assert.IsLessThan(schedule.At(step - 1), schedule.At(step));
        }
    }

    [TestMethod]
    public void WithoutWarmUpTheFirstStepHasTheFullRate() => Assert.AreEqual(
        Peak, new LearningRateSchedule(Peak, WarmupSteps: 0, TotalSteps: 1, LearningRateDecay.Cosine).At(0), Tolerance);

    [TestMethod]
    public void AWarmUpThatIsLongerThanTheTrainingIsCutOff()
    {
        var schedule = new LearningRateSchedule(Peak, WarmupSteps: 100, TotalSteps: 10, LearningRateDecay.Cosine);
        Assert.AreEqual(Peak / 10, schedule.At(9), Tolerance);
        Assert.IsTrue(double.IsFinite(new LearningRateSchedule(Peak, 10, 10, LearningRateDecay.Linear).At(9)));
    }
}
