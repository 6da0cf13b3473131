namespace Microsoft.ML.CoLM;

/// <summary>How a trial of a sweep ended.</summary>
public enum SweepTrialState
{
    /// <summary>The candidate was fitted and measured.</summary>
    Completed,

    /// <summary>The trial threw an exception; see <see cref="ChainTrial.Error"/>.</summary>
    Failed,

    /// <summary>A limit or a cancellation ended the trial; it is not ranked.</summary>
    Stopped,

    /// <summary>
    /// The trial exceeded the memory limit, or would have; see <see cref="ChainTrial.Error"/> for the amount.
    /// </summary>
    Refused,
}
