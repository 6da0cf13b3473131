using System.Globalization;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Metrics of a language model at every chain count, whose features are computed once.</summary>
internal sealed class ChainCountEvaluation
{
    private readonly ElasticScoringTransformer _scorer;
    private readonly ScoringChannel _channel;
    private readonly double[] _sums;
    private TextCounts _counts;
    private long _rows;

    private ChainCountEvaluation(ElasticScoringTransformer scorer, ScoringChannel channel)
    {
        (_scorer, _channel) = (scorer, channel);
        _sums = new double[scorer.Model.Config.ChainCount];
    }

    /// <param name="environment">Told to stop by a cancellation.</param>
    /// <param name="model">A fitted pipeline.</param>
    /// <param name="data">The rows that it gets.</param>
    /// <returns>The metrics at chain count 1, 2 and so on.</returns>
    /// <exception cref="ArgumentException">The pipeline holds no language model, or the rows nothing to score.</exception>
    public static LanguageModelMetrics[] Of(IHostEnvironment environment, ITransformer model, IDataView data)
    {
        var scorer = ElasticChain.Find(model);
        if (scorer.Settings.Task is not LanguageModelScoring)
        {
            throw new ArgumentException($"The model must score by {TaskKind.LanguageModeling} to be evaluated at every chain " +
                $"count, found {scorer.Settings.Task.Kind}.", nameof(model));
        }
        scorer.CheckUsable();
        var rows = ChainFront.Transform(model, scorer, data);
        using var channel = new ScoringChannel(environment.Register(nameof(ChainCountEvaluation)), scorer.CheckUsable, hasEnd: true);
        return new ChainCountEvaluation(scorer, channel).Read(rows);
    }

    private LanguageModelMetrics[] Read(IDataView data)
    {
        var settings = _scorer.Settings;
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
        using var use = _scorer.Enter();
        var settings = _scorer.Settings;
        var sequences = LanguageModelScoring.Encode(
            _scorer.Model, _scorer.Tokenizer, batch, settings.Columns, settings.Windows, _channel.CheckAlive);
        var scores = SequenceScorer.ScoreEveryScale(_scorer.Model, sequences, settings.Windows, _channel.CheckAlive);
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
