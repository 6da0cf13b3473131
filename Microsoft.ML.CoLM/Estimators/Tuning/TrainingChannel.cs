using System.Globalization;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What a training says while it runs, and how it is told to stop.</summary>
/// <param name="host">The estimator's host.</param>
/// <param name="channel">Where messages go.</param>
/// <param name="options">How to train.</param>
internal sealed class TrainingChannel(IHost host, IChannel channel, TrainingOptions options)
{
    /// <summary>Whether training is to end after its row or step: by the options' token, a sweep, or the MLContext.</summary>
    public bool IsCancelled() => options.CancellationToken.IsCancellationRequested ||
        options.StopToken.IsCancellationRequested || HostSettings.IsCancelled(host);

    public void Info(string message) => channel.Info(message);

    public void Warn(string message) => channel.Warning(message);

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

    public void Report(TrainingProgress progress)
    {
        options.Progress?.Report(progress);
        var left = TimeSpan.FromSeconds(Math.Round(progress.TimeLeft.TotalSeconds));
        channel.Info(string.Create(CultureInfo.InvariantCulture, $"Step {progress.Step} of {progress.TotalSteps}: " +
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
            channel.Warning($"Training was cancelled after {summary.Steps} steps.");
            CheckAlive();
        }
        return summary;
    }

    /// <summary>Reads rows; null where the options' token ends training before all are read.</summary>
    /// <exception cref="OperationCanceledException">The MLContext's execution, or a sweep, was cancelled.</exception>
    public T? Read<T>(Func<T> rows)
        where T : class
    {
        try
        {
            return rows();
        }
        catch (OperationCanceledException) when (IsCancelled())
        {
            CheckAlive();
            return null;
        }
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

    private static string Numbers(string name, IReadOnlyList<double> values) => values.Count == 0
        ? "" : name + string.Join(" / ", values.Select(value => value.ToString("F4", CultureInfo.InvariantCulture)));
}
