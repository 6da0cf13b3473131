using Microsoft.ML.CoLM.Evaluation;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Cascades of language models stop at a low mean loss, and are judged by the mean loss of all tokens.</summary>
internal sealed class LanguageCalibration : ICalibration
{
    /// <param name="metric">What the options ask for.</param>
    /// <exception cref="ArgumentException">It is not the loss.</exception>
    public LanguageCalibration(SweepMetric? metric)
    {
        if (metric is not (null or SweepMetric.Loss))
        {
            throw new ArgumentException($"{nameof(CascadeCalibrationOptions.Metric)} must be {SweepMetric.Loss} with " +
                $"{TaskKind.LanguageModeling}, found {metric}.");
        }
    }

    public SweepMetric Metric => SweepMetric.Loss;

    public bool IsCount => false;

    public LabelColumn? Label => null;

    public IEnumerable<CalibrationRow> Score(
        ElasticScoringTransformer transformer, List<RowText> texts, List<float> labels, ScoringChannel channel)
    {
        var settings = transformer.Settings;
        var sequences = LanguageModelRowScorer.Encode(
            transformer.Model, transformer.Tokenizer, texts, settings.Columns, settings.Windows, channel.CheckAlive);
        var scores = SequenceScorer.ScoreEveryScale(transformer.Model, sequences, settings.Windows, channel.CheckAlive);
        return scores.Select((scales, i) =>
        {
            var tokens = SequenceScorer.ScoredTokens(sequences[i].Length);
            return new CalibrationRow(tokens, tokens,
                Array.ConvertAll(scales, sum => tokens == 0 ? double.NegativeInfinity : -sum / tokens),
                Array.ConvertAll(scales, sum => -sum));
        });
    }

    public double MetricOf(double loss) => loss;

    public bool StopsByLoss => true;

    public double ThresholdOf(double doubt) => doubt;
}
