using Microsoft.ML.CoLM.Estimators;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Where a pipeline with a language model writes how probable its texts are, under names of the user's own.</summary>
internal static class LanguageColumns
{
    /// <summary>This library's model in a pipeline; null where there is not exactly one.</summary>
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

    /// <summary>What scored rows say, also where log-probabilities have another name.</summary>
    public static IReadOnlyList<PredictionKind> KindsOf(ITransformer model, DataViewSchema scored)
    {
        var kinds = Predictions.KindsOf(scored);
        return kinds.Contains(PredictionKind.LanguageModeling) || Renamed(model, scored) is null
            ? kinds : [PredictionKind.LanguageModeling, .. kinds];
    }

    /// <summary>Scored rows with the columns under their default names.</summary>
    public static IDataView Of(MLContext mlContext, ITransformer model, IDataView scored) =>
        Renamed(model, scored.Schema) is { } columns
            ? mlContext.Transforms.CopyColumns(DefaultColumnNames.LogProbability, columns.LogProbabilityColumnName)
                .Append(mlContext.Transforms.CopyColumns(DefaultColumnNames.TokenCount, columns.TokenCountColumnName))
                .Fit(scored).Transform(scored)
            : scored;

    /// <summary>The column of the text that is scored: of prompts and responses, the response.</summary>
    public static string TextOf(ITransformer model) =>
        Find(model)?.Settings.Columns is { } columns ? columns.Second ?? columns.First : DefaultColumnNames.Text;

    private static LanguageModelScoring? Renamed(ITransformer model, DataViewSchema scored) =>
        Find(model)?.Settings.Task is LanguageModelScoring task &&
        (task.LogProbabilityColumnName, task.TokenCountColumnName) !=
            (DefaultColumnNames.LogProbability, DefaultColumnNames.TokenCount) &&
        scored.GetColumnOrNull(task.LogProbabilityColumnName) is not null &&
        scored.GetColumnOrNull(task.TokenCountColumnName) is not null
            ? task : null;
}
