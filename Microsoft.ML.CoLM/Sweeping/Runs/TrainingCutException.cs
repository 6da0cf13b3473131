namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Ends a trial whose training a token of its own options ended: beside others it would be judged unfairly.</summary>
/// <param name="steps">How many steps were done.</param>
internal sealed class TrainingCutException(int steps) : Exception(FormattableString.Invariant(
    $"Training was cancelled after {steps} steps by the {nameof(TrainingOptions.CancellationToken)} of the candidate's options."));
