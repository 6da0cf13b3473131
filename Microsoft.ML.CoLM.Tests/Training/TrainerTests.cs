using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Training;

[TestClass, DoNotParallelize]
public sealed class TrainerTests
{
    private static readonly CoLMConfig Config = TextModels.Config(4) with { LayerCount = 1 };

    // Gradients of this norm are nothing beside AdamW's epsilon of 1e-8.
    private const double Vanishing = 1e-20;

    [TestMethod]
    public void PassesThatAreAddedUpEqualOneLargeBatch()
    {
        using var large = new TinyTraining(Config);
        using var small = new TinyTraining(Config);
        var (largeLosses, smallLosses) = (new List<double>(), new List<double>());
        large.Train(Options(batch: 12), progress => largeLosses.Add(progress.Loss));
        small.Train(Options(batch: 4, passes: 3), progress => smallLosses.Add(progress.Loss));
        Assert.HasCount(5, smallLosses);
        for (var step = 0; step < 5; step++)
            Assert.AreEqual(largeLosses[step], smallLosses[step], 2e-5);
        var expected = TinyTraining.Values(large.Model);
        foreach (var (name, values) in TinyTraining.Values(small.Model))
        {
            for (var i = 0; i < values.Length; i++)
                Assert.AreEqual(expected[name][i], values[i], 1e-4f, name);
        }
    }

    [TestMethod]
    public void GradientsAreScaledDownToTheGivenNorm()
    {
        var free = NormsOf(double.PositiveInfinity);
        Assert.IsGreaterThan(0.1, free[0]);
        Assert.AreEqual(free[0], NormsOf(free[0] * 2)[0], 1e-5 * free[0]);
        foreach (var norm in NormsOf(0.05))
            Assert.AreEqual(0.05, norm, 1e-5);

        double[] NormsOf(double limit)
        {
            using var training = new TinyTraining(Config);
            var norms = new List<double>();
            var options = Options(steps: 3);
            options.MaxGradientNorm = limit;
            training.Train(options, _ => norms.Add(GradientNorm(training)));
            return [.. norms];
        }
    }

    [TestMethod]
    [DataRow(ScalarType.Float32, 1e-6)]
    [DataRow(ScalarType.BFloat16, 4e-3)]
    public void WeightDecayLeavesTheNormsOut(ScalarType dtype, double tolerance)
    {
        using var training = new TinyTraining(Config with { Layout = new(4, 4) }, dtype: dtype);
        var before = TinyTraining.Values(training.Model);
        var options = Options(steps: 2);
        (options.WeightDecay, options.LearningRate, options.MaxGradientNorm) = (0.5, 0.1, Vanishing);
        training.Train(options);
        const double Kept = (1 - 0.5 * 0.1) * (1 - 0.5 * 0.1);
        foreach (var (name, values) in TinyTraining.Values(training.Model))
        {
            var isNorm = name.Contains("norm", StringComparison.Ordinal);
            for (var i = 0; i < values.Length; i++)
            {
                var expected = before[name][i] * (isNorm ? 1 : Kept);
                Assert.AreEqual(expected, values[i], tolerance * Math.Max(Math.Abs(expected), 1e-3), name);
            }
        }
    }

    [TestMethod]
    public void AFirstStepIsAdamWs()
    {
        using var training = new TinyTraining(Config);
        var before = TinyTraining.Values(training.Model);
        var options = Options(steps: 1);
        (options.WeightDecay, options.LearningRate) = (0, 0.01);
        Dictionary<string, float[]> gradients = [];
        training.Train(options, _ => gradients = training.Model.named_parameters().ToDictionary(
            entry => entry.name, entry => entry.parameter.grad!.data<float>().ToArray()));
        foreach (var (name, values) in TinyTraining.Values(training.Model))
        {
            for (var i = 0; i < values.Length; i++)
            {
                // With both means corrected for their start, the step is the gradient over its own size.
                var gradient = gradients[name][i];
                var expected = before[name][i] - 0.01 * gradient / (Math.Abs(gradient) + 1e-8);
                Assert.AreEqual(expected, values[i], 2e-5, name);
            }
        }
    }

    [TestMethod]
    public void TheMeansDecayAsTheOptionsSay()
    {
        // With both decays 0 every step is the gradient over its own size; with others it is not.
        var plain = Options(steps: 4);
        (plain.WeightDecay, plain.Beta1, plain.Beta2) = (0, 0, 0);
        using var training = new TinyTraining(Config);
        var before = TinyTraining.Values(training.Model)["embed_tokens.chain_1"];
        training.Train(plain);
        var steps = TinyTraining.Values(training.Model)["embed_tokens.chain_1"]
            .Select((value, i) => Math.Abs(value - before[i]) / plain.LearningRate).ToArray();
        // Sums of four steps of one rate up or down.
        Assert.IsTrue(steps.All(step => Math.Abs(step - Math.Round(step)) < 0.05 || step < 4), $"{steps.Max()}");
        Assert.AreEqual(4, steps.Max(), 0.05);

        using var other = new TinyTraining(Config);
        other.Train(Options(steps: 4));
        Assert.AreNotEqual(
            TinyTraining.Values(training.Model)["embed_tokens.chain_1"][0],
            TinyTraining.Values(other.Model)["embed_tokens.chain_1"][0]);
    }

    [TestMethod]
    [DataRow(1, 2, 1)]
    [DataRow(3, 2, 1)]
    [DataRow(2, 3, 2)]
    public void EpochsGiveAsManyStepsAsTheyHaveBatches(int epochs, int batch, int passes)
    {
        using var training = new TinyTraining(Config);
        var expected = training.Windows.Count * epochs / (batch * passes);
        Assert.AreEqual(expected, StepsOfEpochs(training, epochs, batch, passes));
    }

    [TestMethod]
    public void AnEpochOfLessThanABatchIsAStep()
    {
        using var training = new TinyTraining(Config);
        Assert.AreEqual(1, StepsOfEpochs(training, epochs: 1, batch: training.Windows.Count + 1, passes: 1));
    }

    [TestMethod]
    public void StepsGoBeforeEpochsAndMayTakeSeveral()
    {
        using var training = new TinyTraining(Config);
        var options = Options(batch: training.Windows.Count, steps: 3);
        options.Epochs = 50;
        Assert.AreEqual(3, training.Train(options).Steps);
    }

    [TestMethod]
    public void ProgressTellsEveryStep()
    {
        using var training = new TinyTraining(Config);
        var options = Options(batch: 2, passes: 2, steps: 4);
        options.Decay = LearningRateDecay.Linear;
        var reports = new List<TrainingProgress>();
        var summary = training.Train(options, reports.Add);
        CollectionAssert.AreEqual(new[] { 1, 2, 3, 4 }, reports.Select(report => report.Step).ToArray());
        Assert.IsTrue(reports.TrueForAll(report => report.TotalSteps == 4 && report.TokensPerSecond > 0));
        Assert.IsTrue(reports.TrueForAll(report => report.ValidationLosses.Count == 0));
        for (var step = 0; step < 4; step++)
            Assert.AreEqual(options.LearningRate * (4 - step) / 4, reports[step].LearningRate, 1e-12);
        Assert.IsTrue(reports[..3].TrueForAll(report => report.TimeLeft > TimeSpan.Zero));
        Assert.AreEqual(TimeSpan.Zero, reports[3].TimeLeft);
        Assert.AreEqual(reports[3].Loss, summary.Loss);
        Assert.AreEqual((4, false), (summary.Steps, summary.Cancelled));
        Assert.IsGreaterThan(0, summary.TokensPerSecond);
    }

    [TestMethod]
    public void TheFirstLossIsThatOfTheFirstBatches()
    {
        using var training = new TinyTraining(Config);
        var expected = (training.CrossEntropy(0, 3, 1) + training.CrossEntropy(3, 3, 1)) / 2;
        var losses = new List<double>();
        training.Train(Options(batch: 3, passes: 2, steps: 1), progress => losses.Add(progress.Loss));
        Assert.AreEqual(expected, losses[0], 1e-5);
    }

    [TestMethod]
    public void ValidationHappensAtItsIntervalAndAtTheEnd()
    {
        using var training = new TinyTraining(Config);
        var options = Options(steps: 5);
        options.ValidationInterval = 2;
        var calls = 0;
        var reports = new List<TrainingProgress>();
        var summary = training.Train(options, reports.Add, () => TinyTraining.Found(++calls));
        CollectionAssert.AreEqual(
            new[] { "", "1", "", "2", "3" },
            reports.Select(report => string.Join(' ', report.ValidationLosses)).ToArray());
        CollectionAssert.AreEqual(new[] { 3.0 }, summary.ValidationLosses.ToArray());

        options.ValidationInterval = null;
        reports.Clear();
        training.Train(options, reports.Add, () => TinyTraining.Found(1));
        Assert.AreEqual(5, reports.Single(report => report.ValidationLosses.Count > 0).Step);
    }

    [TestMethod]
    [DataRow(true, 2)]
    [DataRow(false, 5)]
    public void TheBestValidationsWeightsAreRestoredOnRequest(bool restores, int modelStep)
    {
        using var training = new TinyTraining(Config);
        var options = Options(steps: 5);
        (options.ValidationInterval, options.RestoreBest) = (1, restores);
        double[] losses = [3, 1, 2, 1, 1.5];
        var calls = 0;
        var states = new List<Dictionary<string, float[]>>();
        var summary = training.Train(options, _ => states.Add(TinyTraining.Values(training.Model)),
            () => TinyTraining.Found(losses[calls++]));
        Assert.AreEqual((5, modelStep, false), (summary.Steps, summary.ModelStep, summary.Cancelled));
        Assert.AreEqual(losses[modelStep - 1], summary.ValidationLosses.Single());
        foreach (var (name, values) in TinyTraining.Values(training.Model))
            CollectionAssert.AreEqual(states[modelStep - 1][name], values, name);
    }

    [TestMethod]
    [DataRow(1, 4)]
    [DataRow(2, 7)]
    [DataRow(3, 9)]
    [DataRow(null, 9)]
    public void TrainingEndsEarlyAfterValidationsWithoutANewBest(int? patience, int steps)
    {
        using var training = new TinyTraining(Config);
        var options = Options(steps: 9);
        (options.ValidationInterval, options.EarlyStoppingPatience) = (1, patience);
        double[] losses = [4, 3, 2, 2, 1, 1.5, 1.2, 0.5, 0.4];
        var calls = 0;
        var summary = training.Train(options, validate: () => TinyTraining.Found(losses[calls++]));
        Assert.AreEqual((steps, steps, false), (summary.Steps, summary.ModelStep, summary.Cancelled));
        Assert.AreEqual(losses[steps - 1], summary.ValidationLosses.Single());
    }

    [TestMethod]
    public void NoStepsTrainNothing()
    {
        using var training = new TinyTraining(Config);
        var before = TinyTraining.Values(training.Model);
        var summary = training.Train(Options(steps: 0), _ => Assert.Fail("There was no step."), () => TinyTraining.Found(2.5));
        Assert.AreEqual((0, false), (summary.Steps, summary.Cancelled));
        Assert.AreEqual(double.NaN, summary.Loss);
        CollectionAssert.AreEqual(new[] { 2.5 }, summary.ValidationLosses.ToArray());
        foreach (var (name, values) in TinyTraining.Values(training.Model))
            CollectionAssert.AreEqual(before[name], values);
    }

    [TestMethod]
    [DataRow(1)]
    [DataRow(4)]
    public void ALossThatIsNoNumberStopsTheTrainingBeforeAnythingIsWritten(int spoiledAfter)
    {
        using var training = new TinyTraining(Config);
        Dictionary<string, float[]> before = [];
        var error = Assert.ThrowsExactly<NonFiniteLossException>(() => training.Train(Options(steps: 20), progress =>
        {
            if (progress.Step == spoiledAfter)
                Spoil(training.Trained[0]);
            before = TinyTraining.Values(training.Model);
        }));
        Assert.AreEqual(spoiledAfter + 1, error.Step);
        Assert.Contains($"step {spoiledAfter + 1}: the loss is", error.Message);
        Assert.Contains("no checkpoint", error.Message);
        foreach (var (name, values) in TinyTraining.Values(training.Model))
            CollectionAssert.AreEqual(before[name], values, name);
    }

    [TestMethod]
    public void AGradientThatIsNoNumberStopsTheTrainingBeforeAnythingIsWritten()
    {
        using var training = new TinyTraining(Config);
        var before = TinyTraining.Values(training.Model);
        var trainer = new Trainer(Options(steps: 20), validate: null, () => StopRequest.None, _ => { });
        var error = Assert.ThrowsExactly<NonFiniteLossException>(() => trainer.Train(new SteepObjective(training), training.Trained));
        Assert.AreEqual(1, error.Step);
        Assert.Contains("the gradient's norm", error.Message);
        foreach (var (name, values) in TinyTraining.Values(training.Model))
            CollectionAssert.AreEqual(before[name], values, name);
    }

    [TestMethod]
    public void ALastStepThatSpoilsTheModelThrows()
    {
        using var training = new TinyTraining(Config);
        var error = Assert.ThrowsExactly<NonFiniteLossException>(
            () => training.Train(Options(steps: 1), _ => Spoil(training.Trained[0])));
        Assert.AreEqual(1, error.Step);
        Assert.Contains("step 1: the loss after it", error.Message);
    }

    [TestMethod]
    public void TheLastStepBeforeACancellationIsLookedAtAsWell()
    {
        using var training = new TinyTraining(Config);
        var cancelled = false;
        var trainer = new Trainer(Options(steps: 20), validate: null, () => cancelled ? StopRequest.Stop : StopRequest.None, progress =>
        {
            if (progress.Step == 3)
                Spoil(training.Trained[0]);
            cancelled = progress.Step == 3;
        });
        var error = Assert.ThrowsExactly<NonFiniteLossException>(() => trainer.Train(training.Objective, training.Trained));
        Assert.AreEqual(3, error.Step);
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(5)]
    public void WeightsThatAreNotFiniteFromTheStartAreNoLastGoodState(int steps)
    {
        using var training = new TinyTraining(Config);
        Spoil(training.Trained[0]);
        var error = Assert.ThrowsExactly<NonFiniteLossException>(
            () => training.Train(Options(steps: steps), validate: () => TinyTraining.Found(training.CrossEntropy(0, 1, 1))));
        Assert.AreEqual(Math.Min(steps, 1), error.Step);
        Assert.Contains("before training", error.Message);
    }

    [TestMethod]
    [DataRow(2, 2)]
    [DataRow(null, 5)]
    public void AValidationLossThatIsNoNumberStopsTheTraining(int? interval, int step)
    {
        using var training = new TinyTraining(Config);
        var options = Options();
        options.ValidationInterval = interval;
        var error = Assert.ThrowsExactly<NonFiniteLossException>(
            () => training.Train(options, validate: () => TinyTraining.Found(1.5, double.NaN)));
        Assert.AreEqual(step, error.Step);
        Assert.Contains("validation", error.Message);
    }

    private static ChainExpansionEstimator.Options Options(int batch = 4, int passes = 1, int steps = 5) => new()
    {
        BatchSize = batch,
        GradientAccumulationSteps = passes,
        MaxSteps = steps,
        WarmupSteps = 0,
        LearningRate = 1e-3,
        Decay = LearningRateDecay.None,
    };

    private static int StepsOfEpochs(TinyTraining training, int epochs, int batch, int passes)
    {
        var options = Options(batch, passes);
        (options.MaxSteps, options.Epochs) = (null, epochs);
        var totals = new HashSet<int>();
        var summary = training.Train(options, progress => totals.Add(progress.TotalSteps));
        Assert.AreEqual(summary.Steps, totals.Single());
        return summary.Steps;
    }

    private static void Spoil(Tensor parameter)
    {
        using var noGradients = no_grad();
        parameter.fill_(float.NaN).DetachFromDisposeScope();
    }

    private static double GradientNorm(TinyTraining training)
    {
        using var scope = NewDisposeScope();
        return Math.Sqrt(training.Trained.Sum(parameter => parameter.grad!.pow(2).sum().ToDouble()));
    }

    // Of a finite loss whose gradient is not.
    private sealed class SteepObjective(TinyTraining training) : BatchObjective
    {
        public override CoLMModel Model => training.Model;

        public override long BatchesOf(int epochs) => training.Objective.BatchesOf(epochs);

        protected override BatchLoss Compute(long batch)
        {
            using var scope = NewDisposeScope();
            var loss = training.Objective.Loss(batch);
            // The slope of a square root at zero.
            return loss with { Sum = (loss.Sum - loss.Sum.detach()).sqrt().MoveToOuterDisposeScope() };
        }
    }
}
