using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Cascades of classifiers stop at a wide margin, and are judged by accuracy or log-loss.</summary>
internal sealed class ClassCalibration : ICalibration
{
    private readonly PredictionRowScorer _scorer;
    private readonly int[] _classes;

    /// <param name="scorer">What the model scores by.</param>
    /// <param name="schema">The rows' columns.</param>
    /// <param name="options">Which label and metric are asked for.</param>
    /// <exception cref="ArgumentException">The label is missing or not the task's, or the metric is none of classes.</exception>
    public ClassCalibration(PredictionRowScorer scorer, DataViewSchema schema, CascadeCalibrationOptions options)
    {
        if (options.Metric is not (null or SweepMetric.Accuracy or SweepMetric.MicroAccuracy or SweepMetric.LogLoss))
        {
            throw new ArgumentException($"{nameof(options.Metric)} must be {SweepMetric.Accuracy}, {SweepMetric.MicroAccuracy} or " +
                $"{SweepMetric.LogLoss} with {scorer.Kind}, found {options.Metric}.");
        }
        _scorer = scorer;
        Metric = options.Metric ?? SweepMetric.Accuracy;
        Label = LabelColumn.In(schema, options.LabelColumnName);
        if (Label.Task != scorer.Kind)
        {
            throw new ArgumentException($"Column '{Label.Name}' must be a label of {scorer.Kind}, which the model was tuned for, " +
                $"found {Label.AsColumn().Type}.");
        }
        // Keys of another data view may count the same values in another order.
        _classes = scorer is MulticlassRowScorer multiclass
            ? Array.ConvertAll(Label.ClassNames, name => Array.IndexOf(multiclass.Labels.Names, name)) : [0, 1];
    }

    public SweepMetric Metric { get; }

    public bool IsCount => Metric != SweepMetric.LogLoss;

    public LabelColumn Label { get; }

    LabelColumn? ICalibration.Label => Label;

    public IEnumerable<CalibrationRow> Score(
        ElasticScoringTransformer transformer, List<RowText> texts, List<float> labels, ScoringChannel channel)
    {
        var settings = transformer.Settings;
        var sequences = texts.ConvertAll(text =>
        {
            var ids = TaskTextOf(transformer, text, channel, out var isCut);
            if (isCut)
                channel.CountCutRow(settings.Columns, _scorer.MaxLength);
            return ids;
        });
        var outputs = SequencePredictor.Outputs(
            transformer.Model, _scorer.Head, sequences, new ChainRange(0, transformer.Model.Config.ChainCount), channel.CheckAlive);
        return outputs.Select((scales, i) =>
        {
            var label = ClassOf(labels[i]);
            return new CalibrationRow(Math.Max(1, sequences[i].Length), 1,
                Array.ConvertAll(scales, own => sequences[i].Length == 0 ? double.NegativeInfinity : -Probabilities.Margin(own)),
                Array.ConvertAll(scales, own => Loss(own, label)));
        });
    }

    public double MetricOf(double loss) => IsCount ? 1 - loss : loss;

    public bool StopsByLoss => false;

    // The margin, which doubts are the negative of.
    public double ThresholdOf(double doubt) => -doubt;

    private int[] TaskTextOf(ElasticScoringTransformer transformer, RowText text, ScoringChannel channel, out bool isCut) =>
        Training.TaskText.Encode(transformer.Tokenizer, transformer.Model.Config, text.First, text.Second, _scorer.MaxLength,
            transformer.Settings.Columns.Names, out isCut, channel.CheckAlive);

    private double Loss(float[] outputs, int label)
    {
        var (loss, accuracy) = TaskMetrics.Classification([outputs], [label]);
        // A mistake cannot be told of outputs that are no numbers.
        return IsCount && double.IsFinite(loss) ? 1 - accuracy : loss;
    }

    private int ClassOf(float label) => _classes[(int)label] is >= 0 and var own ? own : throw new ArgumentException(
        $"Column '{Label.Name}' has class '{Label.ClassNames[(int)label]}', which the model was not tuned for: it has " +
        $"{string.Join(", ", ((MulticlassRowScorer)_scorer).Labels.Names.Take(10))}. The rows must go through the same transforms as " +
        "the training data, as they were fitted to that.");
}
