using System.Diagnostics;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>The training loop: gradient accumulation, clipping, AdamW, schedule, validation, progress.</summary>
/// <param name="options">How to train, already checked.</param>
/// <param name="validate">The mean loss at each chain count, or null without a validation set.</param>
/// <param name="isCancelled">Asked before every step.</param>
/// <param name="report">Gets the progress after every step.</param>
internal sealed class Trainer(
    TrainingOptions options, Func<IReadOnlyList<double>>? validate, Func<bool> isCancelled,
    Action<TrainingProgress> report)
{
    /// <summary>Trains the parameters that require gradients.</summary>
    /// <exception cref="NonFiniteLossException">
    /// The loss, also the one that the last step leaves, a validation's or the gradient's norm was not finite; the
    /// parameters are those of the last finite loss.
    /// </exception>
    public TrainingSummary Train(LanguageModelingTask task, IReadOnlyList<Parameter> parameters)
    {
        var stepWindows = (long)options.BatchSize * options.GradientAccumulationSteps;
        var totalSteps = options.MaxSteps ?? StepsOfEpochs(task.WindowCount, stepWindows);
        var schedule = new LearningRateSchedule(
            options.LearningRate, options.WarmupSteps, totalSteps, options.Decay);
        using var optimizer = CreateOptimizer(parameters);
        using var lastGood = new ParameterSnapshot(parameters);

        var clock = Stopwatch.StartNew();
        var step = 0;
        var loss = double.NaN;
        var isProven = true; // whether a finite loss of the parameters, as they are, is known
        IReadOnlyList<double> losses = [];
        while (step < totalSteps && !isCancelled())
        {
            foreach (var group in optimizer.ParamGroups)
                group.LearningRate = schedule.At(step);
            loss = Step(task, parameters, optimizer, lastGood, step);
            step++;
            isProven = false;

            var validates = validate is not null &&
                (step == totalSteps || step % (options.ValidationInterval ?? int.MaxValue) == 0);
            var elapsed = clock.Elapsed;
            if (validates)
            {
                clock.Stop();
                losses = validate!();
                CheckFinite(losses, "a validation loss");
                isProven = true;
                clock.Start();
            }
            report(new TrainingProgress(step, totalSteps, loss, schedule.At(step - 1),
                TokensPerSecond(elapsed), elapsed / step * (totalSteps - step),
                validates ? losses : []));
        }
        clock.Stop();
        ForgetGradients(parameters);
        if (!isProven)
            CheckFinite([LossWithoutGradients(task, step - 1)], "the loss after it");
        var cancelled = step < totalSteps;
        if (totalSteps == 0)
        {
            losses = validate?.Invoke() ?? [];
            CheckFinite(losses, "a validation loss");
        }
        return new TrainingSummary(step, cancelled, loss, TokensPerSecond(clock.Elapsed), cancelled ? [] : losses);

        double TokensPerSecond(TimeSpan elapsed) =>
            (double)step * stepWindows * task.WindowLength / elapsed.TotalSeconds;

        void CheckFinite(IEnumerable<double> found, string what)
        {
            if (found.All(double.IsFinite))
                return;
            lastGood.Restore();
            ForgetGradients(parameters);
            throw new NonFiniteLossException(step, what, task.Model, wasFinite: step > 0);
        }
    }

    private int StepsOfEpochs(int windows, long stepWindows)
    {
        var steps = Math.Max(1, (long)windows * options.Epochs / stepWindows);
        return steps <= int.MaxValue ? (int)steps : throw new ArgumentException(
            $"{nameof(options.Epochs)} must be fewer: {options.Epochs} epochs of {windows} windows are {steps} steps, " +
            $"more than {int.MaxValue}.");
    }

    // Of the step's first batch: that the last step left weights to compute with.
    private double LossWithoutGradients(LanguageModelingTask task, int step)
    {
        using var noGradients = no_grad();
        using var loss = task.Loss(FirstWindow(step, pass: 0), options.BatchSize);
        return loss.ToDouble();
    }

    private long FirstWindow(int step, int pass) =>
        ((long)step * options.GradientAccumulationSteps + pass) * options.BatchSize;

    /// <summary>One optimizer step, and its loss.</summary>
    private double Step(
        LanguageModelingTask task, IReadOnlyList<Parameter> parameters, AdamW optimizer, ParameterSnapshot lastGood,
        int step)
    {
        using var scope = NewDisposeScope();
        optimizer.zero_grad();
        var passes = options.GradientAccumulationSteps;
        double loss = 0;
        for (var pass = 0; pass < passes; pass++)
        {
            using var passLoss = task.Loss(FirstWindow(step, pass), options.BatchSize);
            using var scaled = passLoss / passes;
            loss += scaled.ToDouble();
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
