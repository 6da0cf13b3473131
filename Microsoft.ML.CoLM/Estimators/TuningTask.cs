namespace Microsoft.ML.CoLM;

/// <summary>What Chain Tuning learns.</summary>
public enum TuningTask
{
    /// <summary>
    /// A label, whose type says which: a class of a key, true or false of a Boolean, a number of a Single.
    /// </summary>
    Label = 0,

    /// <summary>The response to a prompt.</summary>
    Completion = 1,

    /// <summary>
    /// To predict text well at every chain count: all chains are frozen, the language heads alone are trained (the
    /// published recipe for elastic inference).
    /// </summary>
    LanguageHeads = 2,
}
