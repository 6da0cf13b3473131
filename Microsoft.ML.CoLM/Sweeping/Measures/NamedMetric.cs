using Microsoft.ML.CoLM.Estimators;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>A <see cref="SweepMetric"/> of pipelines, computed by the evaluator of what their rows say.</summary>
/// <remarks>Every evaluator reads the scored rows once, so that none is scored twice.</remarks>
/// <param name="mlContext">Whose evaluators these are.</param>
/// <param name="metric">The metric.</param>
/// <param name="label">The label's column.</param>
internal sealed class NamedMetric(MLContext mlContext, SweepMetric metric, string label)
{
    private readonly JudgedLabels _labels = new(mlContext, label);

    /// <summary>Refuses a pipeline whose rows have no such metric, and data without the labels that it needs.</summary>
    /// <exception cref="ArgumentException">The message names the metric, what is there, and the column.</exception>
    public void Check(ITransformer model, IDataView data)
    {
        var scored = ElasticOutputs.Scored(mlContext, model, data);
        var kind = KindOf(scored.Schema, data.Schema);
        if (kind != PredictionKind.LanguageModeling)
            _labels.Check(kind, scored, data, isRowForRow: model.IsRowToRowMapper);
    }

    /// <summary>The metric of raw rows; NaN where it is not defined.</summary>
    public double Evaluate(ITransformer model, IDataView data)
    {
        var scored = ElasticOutputs.Scored(mlContext, model, data);
        return KindOf(scored.Schema, data.Schema) switch
        {
            PredictionKind.LanguageModeling =>
                OfLanguageModel(LanguageEvaluation.Of(mlContext, scored, ElasticOutputs.TextColumn(model))),
            PredictionKind.MultipleChoice => OfChoices(scored),
            PredictionKind.BinaryClassification => OfBinary(scored),
            PredictionKind.MulticlassClassification => OfMulticlass(scored),
            _ => OfRegression(scored),
        };
    }

    /// <summary>The metric at every chain count from one pass; null where there is no such pass.</summary>
    public IReadOnlyList<double>? EvaluateChainCounts(ITransformer model, IDataView data) =>
        metric is SweepMetric.Loss or SweepMetric.Perplexity &&
        ElasticOutputs.Find(model)?.Settings.Scorer.Kind == TaskKind.LanguageModeling
            ? [.. ChainCountEvaluation.Of(mlContext, model, data).Select(OfLanguageModel)]
            : null;

    private PredictionKind KindOf(DataViewSchema scored, DataViewSchema data)
    {
        var kinds = Predictions.KindsOf(scored);
        foreach (var kind in kinds)
        {
            if (SweepMetrics.Of(kind, Predictions.HasProbability(scored)).Contains(metric))
                return kind;
        }
        string[] added = [.. scored.Where(column => !column.IsHidden && data.GetColumnOrNull(column.Name)?.Type != column.Type)
            .Select(column => $"'{column.Name}' ({column.Type})")];
        var fitting = kinds.SelectMany(kind => SweepMetrics.Of(kind, Predictions.HasProbability(scored))).Distinct().ToArray();
        throw new ArgumentException(
            $"The metric {metric} does not fit the pipeline, whose rows are of " +
            (kinds.Count > 0 ? string.Join(" and ", kinds) : "no task that has metrics") +
            $": it adds {(added.Length > 0 ? string.Join(", ", added) : "no column")}. " +
            (fitting.Length > 0 ? $"Metrics that fit are {string.Join(", ", fitting)}. "
                : "A trainer behind it, or a metric of one's own, is missing. ") +
            $"The label column is '{label}', and the validation set has {TextColumns.ColumnNames(data)}.");
    }

    private double OfLanguageModel(LanguageModelMetrics found) =>
        metric == SweepMetric.Loss ? found.Loss : found.Perplexity;

    private double OfChoices(IDataView scored)
    {
        var found = new ScoredChoices(mlContext, scored, label).Evaluate();
        return metric switch
        {
            SweepMetric.MultipleChoiceAccuracy => found.Accuracy,
            SweepMetric.MultipleChoiceNormalizedAccuracy => found.NormalizedAccuracy,
            SweepMetric.F1Score => found.F1Score,
            _ => found.MatthewsCorrelation,
        };
    }

    private double OfBinary(IDataView scored)
    {
        var catalog = mlContext.BinaryClassification;
        if (metric == SweepMetric.LogLoss)
            return catalog.Evaluate(scored, label).LogLoss;
        // The one that calibrated and other classifiers have: what is left is computed of scores and predicted labels alone.
        var found = catalog.EvaluateNonCalibrated(scored, label);
        return metric switch
        {
            SweepMetric.Accuracy => found.Accuracy,
            SweepMetric.F1Score => found.F1Score,
            SweepMetric.AreaUnderRocCurve => found.AreaUnderRocCurve,
            _ => Matthews.Correlation(found.ConfusionMatrix.Counts),
        };
    }

    private double OfMulticlass(IDataView scored)
    {
        var found = mlContext.MulticlassClassification.Evaluate(scored, label);
        return metric switch
        {
            SweepMetric.MicroAccuracy => found.MicroAccuracy,
            SweepMetric.MacroAccuracy => found.MacroAccuracy,
            SweepMetric.LogLoss => found.LogLoss,
            _ => Matthews.Correlation(found.ConfusionMatrix.Counts),
        };
    }

    private double OfRegression(IDataView scored) => metric switch
    {
        SweepMetric.RSquared => mlContext.Regression.Evaluate(scored, label).RSquared,
        SweepMetric.RootMeanSquaredError => mlContext.Regression.Evaluate(scored, label).RootMeanSquaredError,
        SweepMetric.PearsonCorrelation => NumberPairs.Evaluate(mlContext, scored, label, DefaultColumnNames.Score).PearsonCorrelation,
        _ => NumberPairs.Evaluate(mlContext, scored, label, DefaultColumnNames.Score).SpearmanCorrelation,
    };
}
