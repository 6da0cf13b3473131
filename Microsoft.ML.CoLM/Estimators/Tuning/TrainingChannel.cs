using System.Diagnostics.CodeAnalysis;
using System.Globalization;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What a training says while it runs, and how it is told to stop.</summary>
/// <param name="host">The estimator's host.</param>
/// <param name="channel">Where messages go.</param>
/// <param name="options">How to train.</param>
/// <param name="ranks">Who trains. The first rank's messages are those of all.</param>
internal sealed class TrainingChannel(IHost host, IChannel channel, TrainingOptions options, TrainingRanks ranks)
{
    public TrainingRanks Ranks => ranks;

    /// <summary>What this process was asked for: by the options' token, or by a sweep or the MLContext.</summary>
    public StopRequest Asked() =>
        options.StopToken.IsCancellationRequested || HostSettings.IsCancelled(host) ? StopRequest.Cancel
        : options.CancellationToken.IsCancellationRequested ? StopRequest.Stop : StopRequest.None;

    public void Info(string message)
    {
        if (ranks.IsFirst)
            channel.Info(message);
    }

    public void Warn(string message)
    {
        if (ranks.IsFirst)
            channel.Warning(message);
    }

    /// <summary>Says how many rows lose tokens, where there are any.</summary>
    /// <param name="count">How many.</param>
    /// <param name="what">Rows of what.</param>
    /// <param name="length">Tokens that are left of each.</param>
    public void WarnOfCutRows(long count, string what, int length)
    {
        if (count > 0)
        {
            Warn($"{count} rows of {what} have more than {length} tokens, which is " +
                $"{nameof(options.SequenceLength)} or the model's context, and are cut to so many.");
        }
    }

    /// <summary>Says which ranks have nothing to compute, where there are any.</summary>
    public void WarnOfIdleRanks()
    {
        if (ranks.Size > options.GradientAccumulationSteps)
        {
            Warn(FormattableString.Invariant($"{nameof(options.GradientAccumulationSteps)} is {options.GradientAccumulationSteps}, and so ") +
                FormattableString.Invariant($"{ranks.Size - options.GradientAccumulationSteps} of {ranks.Size} ranks have no pass to compute."));
        }
    }

    /// <summary>Says how many rows' frozen features each rank has computed: of the rows of its own batches.</summary>
    public void TellComputed(FrozenFeatures frozen)
    {
        if (!ranks.AreSeveral)
            return;
        var computed = new double[ranks.Size];
        computed[ranks.Rank] = frozen.ComputedExamples;
        ranks.Communicator.Sum(computed);
        Info(FormattableString.Invariant($"Of {frozen.ExampleCount} rows, the ranks computed and kept the frozen chains' features of ") +
            $"{string.Join(", ", computed.Select(count => count.ToString(CultureInfo.InvariantCulture)))}.");
    }

    public void Report(TrainingProgress progress)
    {
        options.Progress?.Report(progress);
        var left = TimeSpan.FromSeconds(Math.Round(progress.TimeLeft.TotalSeconds));
        Info(string.Create(CultureInfo.InvariantCulture, $"Step {progress.Step} of {progress.TotalSteps}: " +
            $"loss {progress.Loss:F4}{Numbers(", validation loss ", progress.ValidationLosses)}" +
            $"{Numbers(", validation metric ", progress.ValidationMetrics)}, {progress.TokensPerSecond:F0} tokens/s, " +
            $"{left:c} left."));
    }

    /// <summary>Says of a training how it ended.</summary>
    /// <exception cref="OperationCanceledException">
    /// The MLContext's execution, or a sweep, was cancelled, which gives no model, as in ML.NET's own trainers.
    /// </exception>
    public TrainingSummary Ended(TrainingSummary summary)
    {
        if (summary.Cancelled)
        {
            Warn($"Training was cancelled after {summary.Steps} steps.");
            if (ranks.Stop == StopRequest.Cancel)
                ThrowCancelled();
        }
        return summary;
    }

    /// <summary>Reads rows; null where the options' token ends training before all are read, on any rank.</summary>
    /// <exception cref="OperationCanceledException">The MLContext's execution, or a sweep, was cancelled.</exception>
    public T? Read<T>(Func<T> rows)
        where T : class, IDisposable
    {
        var read = ranks.Read(rows, Asked);
        if (ranks.Stop == StopRequest.Cancel)
            ThrowCancelled();
        return read;
    }

    /// <summary>Reads rows without which there is no model.</summary>
    /// <exception cref="OperationCanceledException">Training was cancelled, on any rank.</exception>
    public T ReadAll<T>(Func<T> rows)
        where T : class, IDisposable
    {
        if (Read(rows) is { } read)
            return read;
        ThrowCancelled();
        return null;
    }

    /// <summary>Does not begin where training was cancelled, on any rank.</summary>
    /// <exception cref="OperationCanceledException">It was.</exception>
    public void Begin()
    {
        if (ranks.Agree(Asked()) != StopRequest.None)
            ThrowCancelled();
    }

    /// <summary>Has matrices multiplied alike by all ranks, and as in the training that is resumed, until the scope is disposed.</summary>
    /// <param name="resumed">What multiplied there; null where there is none.</param>
    public IDisposable UseProducts(MatrixProducts? resumed)
    {
        var products = ranks.Products(resumed);
        Info($"What multiplies matrices on a CPU: {products}.");
        return MatrixProducts.Use(products);
    }

    /// <summary>Ends a validation, and with it the training, where the MLContext's execution, or a sweep, was cancelled.</summary>
    /// <exception cref="OperationCanceledException">It was.</exception>
    public void CheckAlive()
    {
        host.CheckAlive();
        options.StopToken.ThrowIfCancellationRequested();
    }

    /// <summary>Ends reading where training was cancelled.</summary>
    /// <exception cref="OperationCanceledException">It was.</exception>
    public void ThrowIfCancelled()
    {
        CheckAlive();
        options.CancellationToken.ThrowIfCancellationRequested();
    }

    // All ranks throw here, each its own reason where it has one.
    [DoesNotReturn]
    private void ThrowCancelled()
    {
        try
        {
            ThrowIfCancelled();
        }
        catch (OperationCanceledException e)
        {
            throw ranks.Agreed(e);
        }
        throw ranks.Agreed(new OperationCanceledException("Training was cancelled on another rank."));
    }

    private static string Numbers(string name, IReadOnlyList<double> values) => values.Count == 0
        ? "" : name + string.Join(" / ", values.Select(value => value.ToString("F4", CultureInfo.InvariantCulture)));
}
