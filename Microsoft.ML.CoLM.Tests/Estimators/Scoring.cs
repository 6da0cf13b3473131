namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Shorthand for scoring rows of text, and for comparing the scores.</summary>
internal static class Scoring
{
    // Of a text's log-probability: what another order of adding float32 numbers may change.
    private const double Rounding = 2e-5;

    public static IDataView Rows(this MLContext mlContext, params IEnumerable<string?> texts) =>
        mlContext.Data.LoadFromEnumerable(
            texts.Select((text, i) => new TextRow { Text = text, Number = i }).ToArray());

    /// <summary>A transformer that scores with a model, which stays the caller's.</summary>
    public static ElasticScoringTransformer Scorer(
        this MLContext mlContext, CoLMModel model, int? chainCount = null, int batchSize = 64) =>
        mlContext.Transforms.ElasticScoring(
            new ElasticScoringEstimator.Options { Model = model, ChainCount = chainCount, BatchSize = batchSize })
            .Fit(mlContext.Rows("text"));

    public static ScoredRow[] Scores(this MLContext mlContext, IDataView scored) =>
        [.. mlContext.Data.CreateEnumerable<ScoredRow>(scored, reuseRowObject: false)];

    public static ScoredRow[] Score(
        this ITransformer transformer, MLContext mlContext, params IEnumerable<string?> texts) =>
        mlContext.Scores(transformer.Transform(mlContext.Rows(texts)));

    /// <summary>Mean loss of a token.</summary>
    public static double MeanLoss(this IEnumerable<ScoredRow> scores) =>
        -scores.Sum(score => (double)score.LogProbability) / scores.Sum(score => score.TokenCount);

    public static void AreClose(IReadOnlyList<ScoredRow> expected, IReadOnlyList<ScoredRow> actual)
    {
        Assert.HasCount(expected.Count, actual);
        for (var i = 0; i < expected.Count; i++)
        {
            Assert.AreEqual(expected[i].Text, actual[i].Text);
            Assert.AreEqual(expected[i].TokenCount, actual[i].TokenCount, expected[i].Text);
            var tolerance = Rounding * Math.Max(1, Math.Abs(expected[i].LogProbability));
            Assert.AreEqual(expected[i].LogProbability, actual[i].LogProbability, tolerance, expected[i].Text);
        }
    }
}
