using Microsoft.ML.CoLM.Estimators;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What the evaluators must know of this library's model in a pipeline.</summary>
internal static class ElasticOutputs
{
    /// <summary>The model; null where there is not exactly one.</summary>
    public static ElasticScoringTransformer? Find(ITransformer model)
    {
        try
        {
            return ElasticChain.Find(model);
        }
        catch (ArgumentException)
        {
            return null;
        }
    }

    /// <summary>The column of the text that log-probabilities are of: of prompts and responses, the response.</summary>
    public static string TextColumn(ITransformer model) =>
        Find(model)?.Settings.Columns is { } columns ? columns.Second ?? columns.First : DefaultColumnNames.Text;

    /// <summary>Scored rows, with choices and their scores also under the names that the evaluator reads.</summary>
    public static IDataView Scored(MLContext mlContext, ITransformer model, IDataView data)
    {
        var scored = model.Transform(data);
        if (Find(model)?.Settings is not { Scorer: MultipleChoiceRowScorer scorer, Columns: var columns })
            return scored;
        (string Usual, string Own)[] names =
        [
            (DefaultColumnNames.Choices, columns.Second!), (DefaultColumnNames.Score, scorer.ScoreColumnName),
            (DefaultColumnNames.NormalizedScore, scorer.NormalizedScoreColumnName),
            (DefaultColumnNames.PredictedLabel, scorer.PredictedLabelColumnName),
            (DefaultColumnNames.NormalizedPredictedLabel, scorer.NormalizedPredictedLabelColumnName),
        ];
        InputOutputColumnPair[] copies = [.. names
            .Where(name => name.Usual != name.Own && scored.Schema.GetColumnOrNull(name.Own) is not null)
            .Select(name => new InputOutputColumnPair(name.Usual, name.Own))];
        return copies.Length == 0 ? scored : mlContext.Transforms.CopyColumns(copies).Fit(scored).Transform(scored);
    }
}
