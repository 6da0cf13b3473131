namespace Microsoft.ML.CoLM;

/// <summary>How a trial of a sweep ended.</summary>
public enum SweepTrialState
{
    /// <summary>It was fitted and measured.</summary>
    Completed,

    /// <summary>It threw; <see cref="ChainTrial.Error"/> says what.</summary>
    Failed,

    /// <summary>A limit or a cancellation ended it; it is not ranked.</summary>
    Stopped,

    /// <summary>It would have taken more memory than is allowed, or did; <see cref="ChainTrial.Error"/> says how much.</summary>
    Refused,
}
