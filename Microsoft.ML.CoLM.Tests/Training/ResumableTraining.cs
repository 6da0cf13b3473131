using System.Collections.Concurrent;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Training;
using Microsoft.ML.Runtime;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>A tiny training that starts anew as often as it is asked to, as a program does after a crash.</summary>
internal sealed class ResumableTraining
{
    public const int Steps = 10;

    /// <summary>What a validation finds after each step; the smallest objective is step 6's.</summary>
    private static readonly double[] Objectives = [9, 8, 7, 7.5, 7.2, 3, 5, 4, 3.5, 6];

    public int Seed { get; init; } = 1;

    public int ModelSeed { get; init; } = 1;

    public string Data { get; init; } = "the rows";

    /// <summary>The step after which the weights are made no numbers; null for none.</summary>
    public int? SpoilsAfter { get; init; }

    /// <summary>How the files are written.</summary>
    public IFolderFiles Files { get; init; } = DiskFiles.Instance;

    /// <summary>What the log got, with its kind.</summary>
    public ConcurrentQueue<(ChannelMessageKind Kind, string Text)> Messages { get; } = new();

    public static ChainExpansionEstimator.Options Options(
        string? folder, Action<ChainExpansionEstimator.Options>? change = null)
    {
        var options = new ChainExpansionEstimator.Options
        {
            BatchSize = 3,
            MaxSteps = Steps,
            WarmupSteps = 3,
            LearningRate = 1e-2,
            CheckpointFolder = folder,
            ResumeFrom = folder,
            CheckpointInterval = 3,
        };
        change?.Invoke(options);
        return options;
    }

    /// <summary>Trains until the end, or until a step after which it is cancelled, or dies.</summary>
    public Outcome Run(ChainExpansionEstimator.Options options, int? cancelAfter = null, int? dieAfter = null,
        Action<int>? atStep = null)
    {
        random.manual_seed(Seed);
        var mlContext = new MLContext();
        mlContext.Log += (_, message) => Messages.Enqueue((message.Kind, message.RawMessage));
        using var channel = ((IChannelProvider)mlContext).Start("Training");
        using var checkpoints = TrainingCheckpoints.Open(options, channel, files: Files);
        using var training = new TinyTraining(TextModels.Config(4, 4) with { LayerCount = 1 }, frozenChains: 1,
            dtype: options.DataType);
        using (no_grad())
            training.Trained[0].view(-1)[0].fill_(ModelSeed);
        checkpoints?.Identify(Seed, training.Model,
            [.. training.Model.named_parameters().Where(entry => entry.parameter.requires_grad)], data => data.Add(Data));
        var reports = new List<TrainingProgress>();
        var last = 0;
        void Report(TrainingProgress progress)
        {
            reports.Add(progress);
            atStep?.Invoke(progress.Step);
            if (progress.Step == SpoilsAfter)
                training.Trained[0].detach().fill_(float.NaN);
            if (progress.Step == dieAfter)
                throw new OperationCanceledException("The process is dead.");
        }
        Validation Validate() => TinyTraining.Found(2, Objectives[(last - 1) % Objectives.Length]);
        var trainer = new Trainer(options, Validate, () => last == cancelAfter ? StopRequest.Stop : StopRequest.None, Report, checkpoints);
        var noisy = new NoisyObjective(
            training, options.BatchSize, batch => last = (int)(batch / options.GradientAccumulationSteps) + 1);
        if (dieAfter is null)
            return new(trainer.Train(noisy, training.Trained), BytesOf(training.Model), reports);
        Assert.ThrowsExactly<OperationCanceledException>(() => trainer.Train(noisy, training.Trained));
        return new(null, BytesOf(training.Model), reports);
    }

    private static byte[] BytesOf(CoLMModel model) =>
        [.. model.parameters().SelectMany(parameter => parameter.bytes.ToArray())];

    /// <summary>What a training left.</summary>
    public sealed record Outcome(TrainingSummary? Summary, byte[] Weights, List<TrainingProgress> Reports)
    {
        /// <summary>Weights and numbers are those of the other, to the bit; how fast it was is another matter.</summary>
        public void MustEqual(Outcome other, string message)
        {
            Assert.IsTrue(Weights.AsSpan().SequenceEqual(other.Weights), $"{message}: the weights differ.");
            Assert.AreEqual(Numbers(other.Summary!), Numbers(Summary!), message);
        }

        private static string Numbers(TrainingSummary summary)
        {
            double[] numbers = [summary.Steps, summary.ModelStep, summary.TrainedParameterCount, summary.Loss,
                .. summary.ValidationLosses, .. summary.ValidationMetrics];
            return $"{string.Join(' ', numbers)} {summary.Cancelled}";
        }
    }

    // Draws random numbers that the batch decides in every step, as dropout does.
    private sealed class NoisyObjective(TinyTraining training, int batchSize, Action<long> begins) : BatchObjective
    {
        private readonly BatchObjective _inner = training.OfBatches(batchSize);

        public override CoLMModel Model => training.Model;

        public override long BatchesOf(int epochs) => _inner.BatchesOf(epochs);

        protected override BatchLoss Compute(long batch)
        {
            begins(batch);
            var loss = _inner.Loss(batch);
            using var sum = loss.Sum;
            using var generator = new Generator((ulong)batch);
            using var noise = rand(1, generator: generator).squeeze();
            return loss with { Sum = sum * noise };
        }
    }
}
