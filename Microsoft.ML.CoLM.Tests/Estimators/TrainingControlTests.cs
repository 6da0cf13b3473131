using System.Collections.Concurrent;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Runtime;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class TrainingControlTests
{
    private const int ManySteps = 100_000;

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(ScalarType.Float32, 1e-5)]
    [DataRow(ScalarType.BFloat16, 0.02)]
    public void ValidationLossesAreThoseOfElasticScoring(ScalarType dtype, double tolerance)
    {
        string?[] validation = [.. TextModels.Texts, .. Expansion.Corpus];
        var options = Expansion.FromNothing(5, 4, 2, 4);
        var recorder = new Recorder();
        (options.ValidationSet, options.ValidationInterval) = (_mlContext.Rows(validation), 2);
        (options.Progress, options.DataType) = (recorder, dtype);
        using var fitted = _mlContext.Fit(options);

        var losses = fitted.Training!.ValidationLosses;
        Assert.HasCount(3, losses);
        for (var chainCount = 1; chainCount <= 3; chainCount++)
        {
            using var elastic = fitted.WithChainCount(chainCount);
            var expected = elastic.Score(_mlContext, validation).MeanLoss();
            Assert.AreEqual(expected, losses[chainCount - 1], tolerance * expected);
        }
        CollectionAssert.AreEqual(
            new[] { 0, 3, 0, 3, 3 }, recorder.Reports.Select(report => report.ValidationLosses.Count).ToArray());
        CollectionAssert.AreEqual(losses.ToArray(), recorder.Reports[^1].ValidationLosses.ToArray());
    }

    [TestMethod]
    public void ValidatingDoesNotChangeWhatIsTrained()
    {
        var options = Expansion.FromNothing(4, 4);
        using var without = _mlContext.Fit(options);
        (options.ValidationSet, options.ValidationInterval) = (_mlContext.Rows("some text"), 1);
        using var with = _mlContext.Fit(options);
        Assert.IsTrue(ModelAssert.HaveSameWeights(without.Model, with.Model));
        Assert.IsEmpty(without.Training!.ValidationLosses);
    }

    [TestMethod]
    public void WithoutStepsTheBaseIsValidated()
    {
        using var model = TextModels.Random(4);
        using var before = _mlContext.Scorer(model);
        var options = Expansion.Grow(model, 0, 4);
        options.ValidationSet = _mlContext.Rows(Expansion.Corpus);
        using var fitted = _mlContext.Fit(options);
        var expected = before.Score(_mlContext, Expansion.Corpus).MeanLoss();
        foreach (var loss in fitted.Training!.ValidationLosses)
            Assert.AreEqual(expected, loss, 1e-5 * expected);
    }

    [TestMethod]
    public void ProgressIsReportedAtEveryStep()
    {
        var options = Expansion.FromNothing(4, 4);
        (options.WarmupSteps, options.LearningRate, options.Decay) = (2, 0.01, LearningRateDecay.Linear);
        var recorder = new Recorder();
        options.Progress = recorder;
        using var fitted = _mlContext.Fit(options);
        CollectionAssert.AreEqual(new[] { 1, 2, 3, 4 }, recorder.Reports.Select(report => report.Step).ToArray());
        CollectionAssert.AreEqual(
            new[] { 0.005, 0.01, 0.01, 0.005 }, recorder.Reports.Select(report => report.LearningRate).ToArray());
        Assert.IsTrue(recorder.Reports.TrueForAll(report => report.TotalSteps == 4 && report.TokensPerSecond > 0));
        Assert.AreEqual(recorder.Reports[^1].Loss, fitted.Training!.Loss);
        using var elastic = fitted.WithChainCount(1);
        Assert.AreEqual(fitted.Training, elastic.Training);
    }

    [TestMethod]
    public void MessagesGoToTheLog()
    {
        var messages = new ConcurrentQueue<LoggingEventArgs>();
        _mlContext.Log += (_, message) => messages.Enqueue(message);
        var options = Expansion.FromNothing(3, 4);
        options.ValidationSet = _mlContext.Rows("some text");
        using var fitted = _mlContext.Fit(options);
        var lines = messages.Where(message => message.Kind == ChannelMessageKind.Info).ToArray();
        Assert.IsTrue(Array.TrueForAll(
            lines, line => line.Source.Contains("ChainExpansion", StringComparison.Ordinal)));
        var parameters = fitted.Model.ParameterCount(1);
        Assert.Contains($"{MatrixProducts.Current}", lines[0].RawMessage);
        Assert.Contains($"{parameters:N0} of {parameters:N0} parameters", lines[1].RawMessage);
        for (var step = 1; step <= 3; step++)
        {
            Assert.ContainsSingle(
                line => line.RawMessage.Contains($"Step {step} of 3: loss ", StringComparison.Ordinal), lines);
        }
        Assert.Contains("validation loss", lines[^1].RawMessage);
        Assert.Contains("tokens/s", lines[^1].RawMessage);
    }

    [TestMethod]
    public void TheLogSaysHowManyParametersOfAGrownModelAreTrained()
    {
        var messages = new ConcurrentQueue<string>();
        _mlContext.Log += (_, message) => messages.Enqueue(message.Message);
        using var model = TextModels.Random(4);
        using var fitted = _mlContext.Fit(Expansion.Grow(model, 1, 4));
        var (all, frozen) = (fitted.Model.ParameterCount(2), model.ParameterCount(1));
        Assert.ContainsSingle(
            line => line.Contains($"{all - frozen:N0} of {all:N0} parameters", StringComparison.Ordinal), messages);
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void ATokenEndsTheTrainingAfterItsStep()
    {
        using var cancellation = new CancellationTokenSource();
        var warnings = new ConcurrentQueue<string>();
        _mlContext.Log += (_, message) =>
        {
            if (message.Kind == ChannelMessageKind.Warning)
                warnings.Enqueue(message.RawMessage);
        };
        var options = Expansion.FromNothing(ManySteps, 4, 4);
        var recorder = new Recorder(progress =>
        {
            if (progress.Step == 3)
                cancellation.Cancel();
        });
        (options.Progress, options.CancellationToken) = (recorder, cancellation.Token);
        using var fitted = _mlContext.Fit(options);
        Assert.HasCount(3, recorder.Reports);
        Assert.AreEqual((3, true), (fitted.Training!.Steps, fitted.Training.Cancelled));
        Assert.AreEqual(recorder.Reports[2].Loss, fitted.Training.Loss);
        Assert.ContainsSingle(line => line.Contains("cancelled after 3 steps", StringComparison.Ordinal), warnings);

        // The model is what three steps make of it, and can be used and stored.
        var scores = fitted.Score(_mlContext, TextModels.Texts);
        Assert.IsTrue(scores.All(score => float.IsFinite(score.LogProbability)));
        using var stream = new MemoryStream();
        _mlContext.Model.Save(fitted, null, stream);
        using var loaded = (ElasticScoringTransformer)new MLContext().Model.Load(stream, out _);
        CollectionAssert.AreEqual(scores, loaded.Score(_mlContext, TextModels.Texts));
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void AnotherThreadMayCancel()
    {
        using var cancellation = new CancellationTokenSource();
        using var began = new ManualResetEventSlim();
        var options = Expansion.FromNothing(ManySteps, 4);
        var recorder = new Recorder(_ => began.Set());
        (options.CancellationToken, options.Progress) = (cancellation.Token, recorder);
        var canceller = new Thread(() =>
        {
            began.Wait();
            cancellation.Cancel();
        });
        canceller.Start();
        using var fitted = _mlContext.Fit(options);
        canceller.Join();
        Assert.IsTrue(fitted.Training!.Cancelled);
        Assert.AreEqual(recorder.Reports.Count, fitted.Training.Steps);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void RowsAreReadNoFurtherThanToTheCancellation(bool ofTheValidationSet)
    {
        using var cancellation = new CancellationTokenSource();
        var read = 0;
        IEnumerable<TextRow> Rows()
        {
            while (true)
            {
                if (++read == 5)
                    cancellation.Cancel();
                yield return new TextRow { Text = "some text" };
            }
        }
        var endless = _mlContext.Data.LoadFromEnumerable(Rows());
        var options = Expansion.FromNothing(ManySteps, 4);
        options.CancellationToken = cancellation.Token;
        options.ValidationSet = ofTheValidationSet ? endless : null;
        using var fitted = _mlContext.Transforms.ChainExpansion(options)
            .Fit(ofTheValidationSet ? _mlContext.Rows("some text") : endless);
        Assert.IsLessThan(20, read);
        Assert.AreEqual((0, true), (fitted.Training!.Steps, fitted.Training.Cancelled));
    }

    [TestMethod]
    public void DaysThatAreLeftAreToldAsDays()
    {
        var messages = new ConcurrentQueue<string>();
        _mlContext.Log += (_, message) => messages.Enqueue(message.RawMessage);
        using var cancellation = new CancellationTokenSource();
        var options = Expansion.FromNothing(int.MaxValue, 4);
        var recorder = new Recorder(_ => cancellation.Cancel());
        (options.CancellationToken, options.Progress) = (cancellation.Token, recorder);
        _mlContext.Fit(options).Dispose();
        Assert.IsGreaterThan(1, recorder.Reports[0].TimeLeft.TotalDays);
        Assert.ContainsSingle(message => message.Contains(
            $" {recorder.Reports[0].TimeLeft.Days}.", StringComparison.Ordinal) && message.EndsWith(" left.", StringComparison.Ordinal), messages);
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void TrainingTakesGradientsWhereTheyAreSwitchedOffAroundIt(bool isInference)
    {
        using var expected = _mlContext.Fit(Expansion.FromNothing(2, 4, 4));
        using var model = TextModels.Random(4);
        using IDisposable without = isInference ? inference_mode() : no_grad();
        using var fitted = _mlContext.Fit(Expansion.FromNothing(2, 4, 4));
        Assert.IsTrue(ModelAssert.HaveSameWeights(expected.Model, fitted.Model));
        using var grown = _mlContext.Fit(Expansion.Grow(model, 2, 4));
        Assert.AreEqual(2, grown.Training!.Steps);
        Assert.IsFalse(is_grad_enabled(), "The caller's setting is back.");
        Assert.AreEqual(isInference, is_inference_mode_enabled());
    }

    [TestMethod]
    public void ALastStepThatSpoilsTheModelThrows()
    {
        using var model = TextModels.Random(4);
        var options = Expansion.Grow(model, 1, 4);
        options.LearningRate = 1e30;
        var error = Assert.ThrowsExactly<NonFiniteLossException>(() => _mlContext.Fit(options).Dispose());
        Assert.AreEqual(1, error.Step);
    }

    [TestMethod]
    [DataRow(1e30)]
    [DataRow(1e10)]
    public void ALossThatIsNoNumberStopsTheTraining(double learningRate)
    {
        using var model = TextModels.Random(4);
        using var before = _mlContext.Scorer(model);
        var expected = before.Score(_mlContext, TextModels.Texts);
        var messages = new ConcurrentQueue<LoggingEventArgs>();
        _mlContext.Log += (_, message) => messages.Enqueue(message);
        var options = Expansion.Grow(model, 50, 4);
        var recorder = new Recorder();
        (options.LearningRate, options.Progress, options.Decay) = (learningRate, recorder, LearningRateDecay.None);
        var error = Assert.ThrowsExactly<NonFiniteLossException>(() => _mlContext.Fit(options).Dispose());

        Assert.AreEqual(recorder.Reports.Count + 1, error.Step);
        Assert.Contains($"step {error.Step}:", error.Message);
        Assert.Contains("LearningRate", error.Message);
        Assert.ContainsSingle(message => message.Kind == ChannelMessageKind.Error &&
            message.RawMessage == error.Message, messages);
        CollectionAssert.AreEqual(expected, before.Score(_mlContext, TextModels.Texts));
    }

    [TestMethod]
    public void WhatTheProgressThrowsEndsTheTraining()
    {
        var options = Expansion.FromNothing(5, 4);
        var spools = Spools();
        options.Progress = new Recorder(progress =>
        {
            if (progress.Step == 2)
                throw new NotSupportedException("enough");
        });
        Assert.AreEqual("enough",
            Assert.ThrowsExactly<NotSupportedException>(() => _mlContext.Fit(options).Dispose()).Message);
        CollectionAssert.AreEqual(spools, Spools());
    }

    [TestMethod]
    public void TrainingLeavesNoFileBehind()
    {
        var before = Spools();
        string[] during = [];
        var options = Expansion.FromNothing(2, 4);
        options.Progress = new Recorder(_ => during = Spools());
        _mlContext.Fit(options).Dispose();
        if (!OperatingSystem.IsWindows())
            CollectionAssert.AreEqual(before, during);
        CollectionAssert.AreEqual(before, Spools());
    }

    [TestMethod]
    public void TrainingLeavesNoGradientsBehind()
    {
        using var fitted = _mlContext.Fit(Expansion.FromNothing(2, 4, 4));
        Assert.IsTrue(fitted.Model.parameters().All(parameter => parameter.grad is null));
    }

    [TestMethod]
    public void TheDataIsReadOnce()
    {
        var rows = _mlContext.Rows(Expansion.Corpus);
        var reads = 0;
        var counted = _mlContext.Data.FilterByCustomPredicate<TextRow>(rows, _ =>
        {
            reads++;
            return false;
        });
        var options = Expansion.FromNothing(30, 4);
        using var fitted = _mlContext.Transforms.ChainExpansion(options).Fit(counted);
        Assert.AreEqual(Expansion.Corpus.Length, reads);
    }

    private static string[] Spools() => Directory.GetFiles(Path.GetTempPath(), "colm-tokens-*");
}
