using System.Reflection;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What a trial's exception is recorded as.</summary>
internal static class TrialError
{
    // A message may hold a whole row of data.
    private const int Longest = 4000;

    /// <summary>How ML.NET begins what it wraps of a thread that reads rows.</summary>
    private const string ReaderWrapper = "Splitter/consolidator";

    /// <summary>The state and the reason of a trial that threw.</summary>
    public static (SweepTrialState State, string Reason) Of(Exception exception, TrialClock clock) =>
        exception is TrialRefusedException refused ? (SweepTrialState.Refused, refused.Message)
        : exception is TrainingCutException ? (SweepTrialState.Stopped, exception.Message)
        : clock.IsStopped && IsCancellation(exception) ? (SweepTrialState.Stopped, clock.Reason)
        : (SweepTrialState.Failed, Text(exception));

    /// <summary>Ends the trials of a pipeline that cannot be saved where it must be.</summary>
    public static void EndUnsaved(IReadOnlyList<TrialDraft> drafts, Exception exception)
    {
        foreach (var draft in drafts)
            draft.End(SweepTrialState.Failed, $"The pipeline cannot be saved in the checkpoint folder. {Text(exception)}");
    }

    /// <summary>Types and messages of an exception and of those in it, without what only wraps another one.</summary>
    public static string Text(Exception exception)
    {
        List<string> texts = [];
        for (var next = exception; next is not null; next = next.InnerException)
        {
            if (next.InnerException is not null && IsWrapper(next))
                continue;
            if (texts.Count == 0 || !texts[^1].Contains(next.Message, StringComparison.Ordinal))
                texts.Add($"{next.GetType().Name}: {next.Message}");
        }
        var text = string.Join(" <- ", texts);
        return text.Length <= Longest ? text : string.Concat(text.AsSpan(0, Longest), "...");
    }

    /// <summary>Whether it says that something was cancelled, also in the wrappings of threads that read rows.</summary>
    public static bool IsCancellation(Exception exception) => exception is OperationCanceledException
        || (exception is AggregateException many && many.InnerExceptions.Any(IsCancellation))
        || (exception.InnerException is { } inner && IsCancellation(inner));

    private static bool IsWrapper(Exception exception) =>
        exception is TargetInvocationException or AggregateException { InnerExceptions.Count: 1 } or TypeInitializationException
        || exception.Message.StartsWith(ReaderWrapper, StringComparison.Ordinal);
}
