using System.Globalization;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Metrics of a language model at every chain count, whose features are computed once.</summary>
internal sealed class ChainCountEvaluation
{
    private readonly ElasticScoringTransformer _transformer;
    private readonly ScoringChannel _channel;
    private readonly double[] _sums;
    private TextCounts _counts;
    private long _rows;

    private ChainCountEvaluation(ElasticScoringTransformer transformer, ScoringChannel channel)
    {
        (_transformer, _channel) = (transformer, channel);
        _sums = new double[transformer.Model.Config.ChainCount];
    }

    /// <param name="environment">Told to stop by a cancellation.</param>
    /// <param name="model">A fitted pipeline.</param>
    /// <param name="data">The rows that it gets.</param>
    /// <returns>The metrics at chain count 1, 2 and so on.</returns>
    /// <exception cref="ArgumentException">The pipeline holds no language model, or the rows nothing to score.</exception>
    public static LanguageModelMetrics[] Of(IHostEnvironment environment, ITransformer model, IDataView data)
    {
        var transformer = ElasticChain.Find(model);
        if (transformer.Settings.Scorer is not LanguageModelRowScorer)
        {
            throw new ArgumentException($"The model must score by {TaskKind.LanguageModeling} to be evaluated at every chain " +
                $"count, found {transformer.Settings.Scorer.Kind}.", nameof(model));
        }
        transformer.CheckUsable();
        var rows = ChainFront.Transform(model, transformer, data);
        using var channel = new ScoringChannel(environment.Register(nameof(ChainCountEvaluation)), transformer.CheckUsable, hasEnd: true);
        return new ChainCountEvaluation(transformer, channel).Read(rows);
    }

    private LanguageModelMetrics[] Read(IDataView data)
    {
        var settings = _transformer.Settings;
        var columns = settings.Columns.In(data.Schema);
        using var cursor = data.GetRowCursor(columns);
        var reader = new RowTextReader(cursor, columns);
        var batch = new List<RowText>();
        while (cursor.MoveNext())
        {
            batch.Add(reader.Read());
            if (batch.Count == settings.BatchSize)
                Score(batch);
        }
        Score(batch);
        LanguageEvaluation.CheckDivisible(_counts, settings.Columns.First, DataRole.Input);
        return [.. _sums.Select((sum, scale) => LanguageModelMetrics.Of(scale + 1, sum, _counts))];
    }

    private void Score(List<RowText> batch)
    {
        using var use = _transformer.Enter();
        var settings = _transformer.Settings;
        var sequences = LanguageModelRowScorer.Encode(
            _transformer.Model, _transformer.Tokenizer, batch, settings.Columns, settings.Windows, _channel.CheckAlive);
        var scores = SequenceScorer.ScoreEveryScale(_transformer.Model, sequences, settings.Windows, _channel.CheckAlive);
        for (var i = 0; i < batch.Count; i++)
        {
            for (var scale = 0; scale < _sums.Length; scale++)
                _sums[scale] += Finite(scores[i][scale], _rows + i, scale + 1);
            _counts = _counts.Plus(batch[i].First, SequenceScorer.ScoredTokens(sequences[i].Length));
        }
        _rows += batch.Count;
        batch.Clear();
    }

    private static double Finite(double score, long row, int chainCount) => double.IsFinite(score)
        ? score
        : throw new InvalidOperationException(string.Create(CultureInfo.InvariantCulture,
            $"The score of row {row}, counted from 0, is not a finite number at chain count {chainCount}: ") +
            "the model's weights or settings are beyond what the type that it computes in can hold.");
}
