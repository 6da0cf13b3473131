using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.Data;
using DefaultColumnNames = Microsoft.ML.CoLM.Estimators.DefaultColumnNames;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What the columns of scored rows tell of them, whichever transformer wrote them.</summary>
internal static class Predictions
{
    /// <summary>Columns that predictions are read from.</summary>
    public static IReadOnlyList<string> Names { get; } =
    [
        DefaultColumnNames.PredictedLabel, DefaultColumnNames.Score, DefaultColumnNames.Probability,
        DefaultColumnNames.NormalizedPredictedLabel, DefaultColumnNames.NormalizedScore, DefaultColumnNames.LogProbability,
        DefaultColumnNames.TokenCount, DefaultColumnNames.Perplexity, DefaultColumnNames.ChainsUsed,
    ];

    /// <summary>What scored rows say: a pipeline may compute several things.</summary>
    /// <param name="scored">The schema of scored rows.</param>
    public static IReadOnlyList<PredictionKind> KindsOf(DataViewSchema scored)
    {
        List<PredictionKind> kinds = [];
        if (LanguageColumns.AreIn(scored))
            kinds.Add(PredictionKind.LanguageModeling);
        if (OfScore(scored) is { } kind)
            kinds.Add(kind);
        return kinds;
    }

    /// <summary>Whether a binary classifier also says how probable its answer is.</summary>
    public static bool HasProbability(DataViewSchema scored) =>
        TypeOf(scored, DefaultColumnNames.Probability) == NumberDataViewType.Single;

    /// <summary>The classes that a score column names its slots by; null where it names none.</summary>
    public static string[]? Classes(DataViewSchema scored)
    {
        var score = scored[DefaultColumnNames.Score];
        if (!score.HasSlotNames())
            return null;
        VBuffer<ReadOnlyMemory<char>> names = default;
        score.GetSlotNames(ref names);
        return [.. names.DenseValues().Select(name => name.ToString())];
    }

    private static PredictionKind? OfScore(DataViewSchema scored)
    {
        if (scored.GetColumnOrNull(DefaultColumnNames.Score) is not { } score)
            return null;
        var predicted = TypeOf(scored, DefaultColumnNames.PredictedLabel);
        var isVector = score.Type is VectorDataViewType vector && vector.ItemType == NumberDataViewType.Single;
        if (isVector && TypeOf(scored, DefaultColumnNames.NormalizedScore) is VectorDataViewType)
            return PredictionKind.MultipleChoice;
        // MapKeyToValue, which often stands at the end, makes a value of any type of a predicted key.
        PredictionKind? kind = isVector && predicted is not null ? PredictionKind.MulticlassClassification
            : score.Type != NumberDataViewType.Single ? null
            : predicted is BooleanDataViewType ? PredictionKind.BinaryClassification
            : predicted is null ? PredictionKind.Regression
            : null;
        return StatedKind(score) is { } stated && stated != kind.ToString() ? null : kind;
    }

    // Clusters and ranks have columns of the same types; ML.NET's own scorers say what theirs are.
    private static string? StatedKind(DataViewSchema.Column score)
    {
        if (score.Annotations.Schema.GetColumnOrNull(AnnotationUtils.Kinds.ScoreColumnKind)?.Type is not TextDataViewType)
            return null;
        ReadOnlyMemory<char> kind = default;
        score.Annotations.GetValue(AnnotationUtils.Kinds.ScoreColumnKind, ref kind);
        return kind.ToString();
    }

    private static DataViewType? TypeOf(DataViewSchema schema, string name) => schema.GetColumnOrNull(name)?.Type;
}
