using System.Diagnostics;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>The training loop: gradient accumulation, clipping, AdamW, schedule, validation, progress.</summary>
/// <param name="options">How to train, already checked.</param>
/// <param name="validate">The mean loss at each chain count, or null without a validation set.</param>
/// <param name="isCancelled">Asked before every step, beside the options' token.</param>
/// <param name="report">Gets the progress after every step.</param>
internal sealed class Trainer(
    TrainingOptions options, Func<IReadOnlyList<double>>? validate, Func<bool> isCancelled,
    Action<TrainingProgress> report)
{
    /// <summary>Trains the parameters that require gradients.</summary>
    /// <exception cref="NonFiniteLossException">
    /// The loss or the gradient's norm was not finite; the parameters are those of the last finite loss.
    /// </exception>
    public TrainingSummary Train(LanguageModelingTask task, IReadOnlyList<Parameter> parameters)
    {
        var stepWindows = (long)options.BatchSize * options.GradientAccumulationSteps;
        var totalSteps = options.MaxSteps
            ?? checked((int)Math.Max(1, (long)task.WindowCount * options.Epochs / stepWindows));
        var schedule = new LearningRateSchedule(
            options.LearningRate, options.WarmupSteps, totalSteps, options.Decay);
        using var optimizer = CreateOptimizer(parameters);
        using var lastGood = new ParameterSnapshot(parameters);

        var clock = Stopwatch.StartNew();
        var step = 0;
        var loss = double.NaN;
        IReadOnlyList<double> losses = [];
        while (step < totalSteps && !IsCancelled())
        {
            foreach (var group in optimizer.ParamGroups)
                group.LearningRate = schedule.At(step);
            loss = Step(task, parameters, optimizer, lastGood, step);
            step++;

            var validates = validate is not null &&
                (step == totalSteps || step % (options.ValidationInterval ?? int.MaxValue) == 0);
            var elapsed = clock.Elapsed;
            if (validates)
            {
                clock.Stop();
                losses = validate!();
                clock.Start();
            }
            report(new TrainingProgress(step, totalSteps, loss, schedule.At(step - 1),
                step * stepWindows * task.WindowLength / elapsed.TotalSeconds, elapsed / step * (totalSteps - step),
                validates ? losses : []));
        }
        clock.Stop();
        ForgetGradients(parameters);
        var speed = step * stepWindows * task.WindowLength / clock.Elapsed.TotalSeconds;
        var cancelled = step < totalSteps;
        if (totalSteps == 0)
            losses = validate?.Invoke() ?? [];
        return new TrainingSummary(step, cancelled, loss, speed, cancelled ? [] : losses);
    }

    private bool IsCancelled() => options.CancellationToken.IsCancellationRequested || isCancelled();

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
            using var passLoss = task.Loss(((long)step * passes + pass) * options.BatchSize, options.BatchSize);
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
            throw new NonFiniteLossException(step + 1, "the loss", task.Model);
        }
        // The parameters gave a finite loss: from here on they are the state to come back to.
        lastGood.Take();
        var norm = nn.utils.clip_grad_norm_(parameters, options.MaxGradientNorm);
        if (!double.IsFinite(norm))
        {
            ForgetGradients(parameters);
            throw new NonFiniteLossException(step + 1, "the gradient's norm", task.Model);
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
