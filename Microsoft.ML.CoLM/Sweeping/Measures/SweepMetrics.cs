namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What is known of each <see cref="SweepMetric"/>.</summary>
internal static class SweepMetrics
{
    /// <summary>Whether more of it is better.</summary>
    public static bool IsMaximized(SweepMetric metric) => metric is not
        (SweepMetric.Loss or SweepMetric.Perplexity or SweepMetric.LogLoss or SweepMetric.RootMeanSquaredError);

    /// <summary>The metrics of a kind of predictions.</summary>
    /// <param name="kind">The kind.</param>
    /// <param name="hasProbability">Whether a binary classifier says how probable its answer is.</param>
    public static IReadOnlyList<SweepMetric> Of(PredictionKind kind, bool hasProbability) => kind switch
    {
        PredictionKind.LanguageModeling => [SweepMetric.Loss, SweepMetric.Perplexity],
        PredictionKind.MultipleChoice =>
        [
            SweepMetric.MultipleChoiceAccuracy, SweepMetric.MultipleChoiceNormalizedAccuracy, SweepMetric.F1Score,
            SweepMetric.MatthewsCorrelation,
        ],
        PredictionKind.BinaryClassification =>
        [
            SweepMetric.Accuracy, SweepMetric.F1Score, SweepMetric.AreaUnderRocCurve, SweepMetric.MatthewsCorrelation,
            .. hasProbability ? (SweepMetric[])[SweepMetric.LogLoss] : [],
        ],
        PredictionKind.MulticlassClassification =>
        [
            SweepMetric.MicroAccuracy, SweepMetric.MacroAccuracy, SweepMetric.LogLoss, SweepMetric.MatthewsCorrelation,
        ],
        _ =>
        [
            SweepMetric.RSquared, SweepMetric.RootMeanSquaredError, SweepMetric.PearsonCorrelation,
            SweepMetric.SpearmanCorrelation,
        ],
    };
}
