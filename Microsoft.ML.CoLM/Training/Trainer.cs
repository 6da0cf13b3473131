using System.Diagnostics;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>The training loop: gradient accumulation, clipping, AdamW, schedule, validation, progress.</summary>
/// <param name="options">How to train, already checked.</param>
/// <param name="validate">Validates the model as it is, or null without a validation set.</param>
/// <param name="isCancelled">Asked before every step.</param>
/// <param name="report">Gets the progress after every step.</param>
internal sealed class Trainer(
    TrainingOptions options, Func<Validation>? validate, Func<bool> isCancelled, Action<TrainingProgress> report)
{
    /// <summary>Trains parameters.</summary>
    /// <param name="task">What to make small.</param>
    /// <param name="parameters">What is trained: all of it gets a gradient from every batch.</param>
    /// <exception cref="NonFiniteLossException">
    /// The loss, also the one that the last step leaves, a validation's or the gradient's norm was not finite; the
    /// parameters are those of the last finite loss.
    /// </exception>
    public TrainingSummary Train(ITrainingTask task, IReadOnlyList<Parameter> parameters)
    {
        var totalSteps = options.MaxSteps ?? StepsOfEpochs(task);
        var schedule = new LearningRateSchedule(
            options.LearningRate, options.WarmupSteps, totalSteps, options.Decay);
        using var optimizer = CreateOptimizer(parameters);
        using var lastGood = new ParameterSnapshot(parameters);
        using var best = new BestState(parameters, keeps: options.RestoreBest);

        var clock = Stopwatch.StartNew();
        var (step, tokens, loss) = (0, 0L, double.NaN);
        var isProven = true; // whether a finite loss of the parameters, as they are, is known
        var found = Validation.None;
        var isStopped = false;
        while (step < totalSteps && !isStopped && !isCancelled())
        {
            foreach (var group in optimizer.ParamGroups)
                group.LearningRate = schedule.At(step);
            loss = Step(task, parameters, optimizer, lastGood, step, ref tokens);
            step++;
            isProven = false;

            var validates = validate is not null &&
                (step == totalSteps || step % (options.ValidationInterval ?? int.MaxValue) == 0);
            var elapsed = clock.Elapsed;
            if (validates)
            {
                clock.Stop();
                found = Validate();
                best.Add(step, found);
                isStopped = best.Waited >= (options.EarlyStoppingPatience ?? int.MaxValue);
                isProven = true;
                clock.Start();
            }
            report(new TrainingProgress(step, totalSteps, loss, schedule.At(step - 1), tokens / elapsed.TotalSeconds,
                elapsed / step * (totalSteps - step), validates ? found.Losses : [])
            {
                ValidationMetrics = validates ? found.Metrics : [],
            });
        }
        clock.Stop();
        ForgetGradients(parameters);
        if (!isProven)
            CheckFinite([LossWithoutGradients(task, step - 1)], "the loss after it");
        var cancelled = step < totalSteps && !isStopped;
        if (totalSteps == 0 && validate is not null)
            found = Validate();
        var goesBack = options.RestoreBest && best.Step > 0 && best.Step < step && !cancelled;
        if (goesBack)
        {
            best.Restore();
            found = best.Found;
        }
        return new TrainingSummary(
            step, cancelled, loss, tokens / clock.Elapsed.TotalSeconds, cancelled ? [] : found.Losses)
        {
            ValidationMetrics = cancelled ? [] : found.Metrics,
            ModelStep = goesBack ? best.Step : step,
            TrainedParameterCount = parameters.Sum(parameter => parameter.numel()),
        };

        Validation Validate()
        {
            var validation = validate!();
            CheckFinite(validation.Losses, "a validation loss");
            return validation;
        }

        void CheckFinite(IEnumerable<double> losses, string what)
        {
            if (losses.All(double.IsFinite))
                return;
            lastGood.Restore();
            ForgetGradients(parameters);
            throw new NonFiniteLossException(step, what, task.Model, wasFinite: step > 0);
        }
    }

    private int StepsOfEpochs(ITrainingTask task)
    {
        var steps = Math.Max(1, task.BatchesOf(options.Epochs) / options.GradientAccumulationSteps);
        return steps <= int.MaxValue ? (int)steps : throw new ArgumentException(
            $"{nameof(options.Epochs)} must be fewer: {options.Epochs} epochs are {steps} steps, more than " +
            $"{int.MaxValue}.");
    }

    // Of the step's first batch: that the last step left weights to compute with.
    private double LossWithoutGradients(ITrainingTask task, int step)
    {
        using var noGradients = no_grad();
        using var loss = task.Loss(BatchNumber(step, pass: 0)).Value;
        return loss.ToDouble();
    }

    private long BatchNumber(int step, int pass) => (long)step * options.GradientAccumulationSteps + pass;

    /// <summary>One optimizer step, and its loss.</summary>
    private double Step(
        ITrainingTask task, IReadOnlyList<Parameter> parameters, AdamW optimizer, ParameterSnapshot lastGood, int step,
        ref long tokens)
    {
        using var scope = NewDisposeScope();
        optimizer.zero_grad();
        var passes = options.GradientAccumulationSteps;
        double loss = 0;
        for (var pass = 0; pass < passes; pass++)
        {
            var batch = task.Loss(BatchNumber(step, pass));
            using var passLoss = batch.Value;
            using var scaled = passLoss / passes;
            loss += scaled.ToDouble();
            tokens += batch.TokenCount;
            if (!double.IsFinite(loss))
                break;
            scaled.backward();
            BackwardResults.Release();
        }
        if (!double.IsFinite(loss))
        {
            lastGood.Restore();
            ForgetGradients(parameters);
            throw new NonFiniteLossException(step + 1, "the loss", task.Model, wasFinite: step > 0);
        }
        // The parameters gave a finite loss: from here on they are the state to come back to.
        lastGood.Take();
        var norm = nn.utils.clip_grad_norm_(parameters, options.MaxGradientNorm);
        if (!double.IsFinite(norm))
        {
            ForgetGradients(parameters);
            throw new NonFiniteLossException(step + 1, "the gradient's norm", task.Model, wasFinite: true);
        }
        optimizer.step();
        return loss;
    }

    // The optimizer's own zero_grad keeps the tensors.
    private static void ForgetGradients(IEnumerable<Parameter> parameters)
    {
        foreach (var parameter in parameters)
            parameter.grad = null;
    }

    private AdamW CreateOptimizer(IReadOnlyList<Parameter> parameters)
    {
        AdamW.ParamGroup Group(bool decays) => new(
            parameters.Where(parameter => parameter.dim() > 1 == decays),
            new AdamW.Options
            {
                LearningRate = options.LearningRate,
                InitialLearningRate = options.LearningRate,
                beta1 = options.Beta1,
                beta2 = options.Beta2,
                eps = 1e-8,
                weight_decay = decays ? options.WeightDecay : 0,
                amsgrad = false,
                maximize = false,
            });
        return optim.AdamW([Group(decays: true), Group(decays: false)]);
    }
}
