using Microsoft.ML.CoLM.Evaluation;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What a cascade of a task stops at, and what it is judged by.</summary>
internal interface ICalibration
{
    /// <summary>What stays near that of all chains.</summary>
    SweepMetric Metric { get; }

    /// <summary>Whether a row's loss is 1 or 0, a mistake or none.</summary>
    bool IsCount { get; }

    /// <summary>The label that is read beside the text; null for none.</summary>
    LabelColumn? Label { get; }

    /// <summary>Rows at chain count 1, 2 and so on up to the model's, from one pass.</summary>
    /// <param name="transformer">What scores them, which is in use.</param>
    /// <param name="texts">The rows' texts.</param>
    /// <param name="labels">Their labels, where the task has any.</param>
    /// <param name="channel">Told of rows that are cut, and of a cancellation.</param>
    IEnumerable<CalibrationRow> Score(
        ElasticScoringTransformer transformer, List<RowText> texts, List<float> labels, ScoringChannel channel);

    /// <summary>The metric of a mean loss.</summary>
    double MetricOf(double loss);

    /// <summary>Whether a row stops at a loss, not at a margin.</summary>
    bool StopsByLoss { get; }

    /// <summary>The loss or margin at a doubt.</summary>
    double ThresholdOf(double doubt);
}
