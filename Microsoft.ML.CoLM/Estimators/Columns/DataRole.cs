namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Which of the data that an estimator is given a message is about.</summary>
/// <param name="Name">The data, as a sentence begins with it.</param>
/// <param name="Advice">What is most often missing, as a sentence of its own; empty for nothing.</param>
internal sealed record DataRole(string Name, string Advice)
{
    /// <summary>What is fitted to, or transformed.</summary>
    public static DataRole Input { get; } = new("The data", "");

    /// <summary>Rows with a model's scores.</summary>
    public static DataRole ScoredData { get; } = new("The scored data", "");

    /// <summary>The options' validation set.</summary>
    public static DataRole ValidationSet { get; } = new("The validation set",
        " The validation set must go through the same transforms as the training data, as they were fitted to that.");
}
