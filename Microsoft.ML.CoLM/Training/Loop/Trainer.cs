using System.Diagnostics;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>The training loop: gradient accumulation, clipping, AdamW, schedule, validation, checkpoints, progress.</summary>
/// <param name="options">How to train, already checked.</param>
/// <param name="validate">Validates the model as it is, or null without a validation set.</param>
/// <param name="asked">Whether training is to end; asked in every step.</param>
/// <param name="report">Gets the progress after every step.</param>
/// <param name="checkpoints">Where to go on from and what to write, already told what is trained; null for neither.</param>
/// <param name="ranks">Who else trains the same; null for nobody.</param>
internal sealed class Trainer(
    TrainingOptions options, Func<Validation>? validate, Func<StopRequest> asked, Action<TrainingProgress> report,
    TrainingCheckpoints? checkpoints = null, TrainingRanks? ranks = null)
{
    // Reading all weights takes a few hundredths of a step's time; once in so many steps, nobody notices.
    private const int StepsBetweenComparisons = 100;

    // Of libtorch's functions with our gradients, TorchSharp leaves small pieces of native memory to the garbage collector,
    // which has no reason to run where the large pieces are freed at once. What they lie between is then lost to the next
    // step's tensors. Once a second costs nothing, and keeps a training of a billion parameters in the memory of its first
    // steps (samples/Benchmarks, whole-way).
    private static readonly TimeSpan TimeBetweenCollections = TimeSpan.FromSeconds(1);

    private readonly TrainingRanks _ranks = ranks ?? new(communicator: null);
    private readonly AdamWStep _update = new(options);
    private readonly Stopwatch _sinceCollection = Stopwatch.StartNew();

    /// <summary>Trains parameters.</summary>
    /// <param name="objective">What to make small.</param>
    /// <param name="parameters">What is trained: all of it gets a gradient from every batch.</param>
    /// <param name="rateFactor">What the learning rate is multiplied by for a parameter; null for 1.</param>
    /// <exception cref="NonFiniteLossException">
    /// The loss, also the one that the last step leaves, a validation's, the gradient's norm or a weight was not finite; the
    /// parameters are of no further use.
    /// </exception>
    public TrainingSummary Train(
        BatchObjective objective, IReadOnlyList<Parameter> parameters, Func<Parameter, double>? rateFactor = null)
    {
        using var heap = new KeptHeap();
        var totalSteps = options.MaxSteps ?? StepsOfEpochs(objective);
        var schedule = new LearningRateSchedule(
            options.LearningRate, options.WarmupSteps, totalSteps, options.Decay);
        using var run = new TrainingRun(
            TrainedParameter.Of(parameters, rateFactor ?? (_ => 1)),
            new BestState(parameters, keeps: options.RestoreBest));
        using var exchange = _ranks.CreateExchange(run.Parameters);
        checkpoints?.Resume(run, totalSteps);

        var isProven = true; // whether a finite loss of the parameters, as they are, is known
        _ranks.Agree(asked());
        while (run.Step < totalSteps && !IsStopped() && _ranks.Stop == StopRequest.None)
        {
            run.Clock.Start();
            Step(objective, run, exchange, schedule.At(run.Step));
            isProven = false;
            run.Clock.Stop();

            var step = run.Step;
            var validates = validate is not null &&
                (step == totalSteps || step % (options.ValidationInterval ?? int.MaxValue) == 0);
            if (validates)
            {
                run.Found = Validate();
                run.Best.Add(step, run.Found);
                isProven = true;
            }
            CollectLeftovers();
            if (step % StepsBetweenComparisons == 0)
                RankComparison.CheckWeights(_ranks, run);
            report(new TrainingProgress
            {
                Step = step,
                TotalSteps = totalSteps,
                Loss = run.Loss,
                LearningRate = schedule.At(step - 1),
                TokensPerSecond = run.Tokens / run.Elapsed.TotalSeconds,
                TimeLeft = RemainingTime(run.Elapsed, totalSteps / (double)step - 1),
                ValidationLosses = validates ? run.Found.Losses : [],
                ValidationMetrics = validates ? run.Found.Metrics : [],
            });
            // Several ranks have agreed in the step's exchange.
            if (!_ranks.AreSeveral)
                _ranks.Agree(asked());
        }
        run.ForgetGradients();
        RankComparison.CheckWeights(_ranks, run);
        if (!isProven)
            CheckFinite([LossWithoutGradients(objective, run.Step - 1)], "the loss after it");
        checkpoints?.Save(run);
        var cancelled = run.Step < totalSteps && !IsStopped();
        if (totalSteps == 0 && validate is not null)
            run.Found = Validate();
        var goesBack = options.RestoreBest && run.Best.Step > 0 && run.Best.Step < run.Step && !cancelled;
        if (goesBack)
        {
            run.Best.Restore();
            run.Found = run.Best.Found;
        }
        return new TrainingSummary
        {
            Steps = run.Step,
            Cancelled = cancelled,
            Loss = run.Loss,
            TokensPerSecond = run.Tokens / run.Elapsed.TotalSeconds,
            ValidationLosses = cancelled ? [] : run.Found.Losses,
            ValidationMetrics = cancelled ? [] : run.Found.Metrics,
            ModelStep = goesBack ? run.Best.Step : run.Step,
            TrainedParameterCount = parameters.Sum(parameter => parameter.numel()),
        };

        bool IsStopped() => run.Best.Waited >= (options.EarlyStoppingPatience ?? int.MaxValue);

        Validation Validate()
        {
            var validation = validate!();
            CheckFinite(validation.Losses, "a validation loss");
            return validation;
        }

        void CheckFinite(IEnumerable<double> losses, string what)
        {
            if (!losses.All(double.IsFinite))
                throw NotFinite(run.Step, what, wasFinite: run.Step > 0);
        }
    }

    private void CollectLeftovers()
    {
        if (_sinceCollection.Elapsed < TimeBetweenCollections)
            return;
        GC.Collect(generation: 0);
        _sinceCollection.Restart();
    }

    // A time, however many steps of however slow ones are left.
    private static TimeSpan RemainingTime(TimeSpan elapsed, double share) =>
        share > TimeSpan.MaxValue / 2 / elapsed ? TimeSpan.MaxValue : elapsed * share;

    private int StepsOfEpochs(BatchObjective objective)
    {
        var steps = Math.Max(1, objective.BatchesOf(options.Epochs) / options.GradientAccumulationSteps);
        return steps <= int.MaxValue ? (int)steps : throw new ArgumentException(
            $"{nameof(options.Epochs)} must be fewer: {options.Epochs} epochs are {steps} steps, more than " +
            $"{int.MaxValue}.");
    }

    // Of the step's first batch: that the last step left weights to compute with.
    private double LossWithoutGradients(BatchObjective objective, int step)
    {
        using var noGradients = no_grad();
        using var sum = objective.Loss(BatchNumber(step, pass: 0)).Sum;
        return Scalars.Read(sum);
    }

    private long BatchNumber(int step, int pass) => (long)step * options.GradientAccumulationSteps + pass;

    // Nothing is written, neither to the weights nor to a checkpoint, before what it follows from is known to be finite.
    private void Step(BatchObjective objective, TrainingRun run, GradientExchange? exchange, double rate)
    {
        using var scope = NewDisposeScope();
        run.ForgetGradients();
        var passes = options.GradientAccumulationSteps;
        var sums = new PassSums(passes);
        foreach (var pass in _ranks.Passes(passes))
        {
            var batch = objective.Loss(BatchNumber(run.Step, pass));
            using var passSum = batch.Sum;
            if (!sums.Add(pass, Scalars.Read(passSum), batch.Count, batch.TokenCount))
                break;
            passSum.backward();
            BackwardResults.Release();
            if (passes > 1)
                run.AddUpGradients();
        }
        _ranks.Complete(sums, run.Parameters, exchange, asked());
        var (sum, count, tokens) = sums.Total();
        var step = run.Step + 1;
        var loss = sum / count;
        if (!double.IsFinite(loss))
            throw NotFinite(step, "the loss", wasFinite: run.Step > 0);
        run.Clock.Stop();
        checkpoints?.SaveIfDue(run);
        run.Clock.Start();
        var norm = _ranks.FirstOf(run.GradientNorm()) / count;
        if (!double.IsFinite(norm))
            throw NotFinite(step, "the gradient's norm", wasFinite: true);
        // As libtorch's clip_grad_norm_ does it.
        var clipped = Math.Min(1, options.MaxGradientNorm / (norm + 1e-6));
        if (!_update.TryTake(run.Parameters, rate, clipped / count))
            throw NotFinite(step, "a weight after it", wasFinite: true);
        (run.Step, run.Loss, run.Tokens) = (step, loss, run.Tokens + tokens);
    }

    private NonFiniteLossException NotFinite(int step, string what, bool wasFinite) =>
        _ranks.Agreed(new NonFiniteLossException(step, what, wasFinite, checkpoints?.Last));
}
