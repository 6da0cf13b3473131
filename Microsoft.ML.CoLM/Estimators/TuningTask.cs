namespace Microsoft.ML.CoLM;

/// <summary>What Chain Tuning learns.</summary>
public enum TuningTask
{
    /// <summary>
    /// A label, whose type determines the task: a class for a key, true or false for a Boolean, a number for a Single.
    /// </summary>
    Label = 0,

    /// <summary>The response to a prompt.</summary>
    Completion = 1,

    /// <summary>
    /// Predicting text well at every chain count: all chains are frozen, and only the language heads are trained (the published
    /// recipe for elastic inference).
    /// </summary>
    LanguageHeads = 2,
}
