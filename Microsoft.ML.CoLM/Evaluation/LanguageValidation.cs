namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>The mean loss of a token of documents at every chain count.</summary>
internal static class LanguageValidation
{
    /// <summary>Refuses documents without a token to predict.</summary>
    /// <exception cref="ArgumentException">None of them has one.</exception>
    public static void Check(IReadOnlyList<IReadOnlyList<int>> documents, string columnName)
    {
        if (documents.All(document => document.Count < 2))
        {
            throw new ArgumentException($"Column '{columnName}' of the validation set has no row of more " +
                "than one token, and no next one to predict.");
        }
    }

    /// <param name="model">The model.</param>
    /// <param name="documents">Token ids; one of them has a token to predict.</param>
    /// <param name="scaleWeights">What the last scales, as many as there are weights, count in the objective.</param>
    /// <param name="checkAlive">Called before every forward pass; what it throws ends the validation.</param>
    /// <param name="share">Which batches are computed here.</param>
    public static Validation Of(
        CoLMModel model, IReadOnlyList<IReadOnlyList<int>> documents, double[] scaleWeights, Action checkAlive, BatchShare share)
    {
        var sums = SequenceScorer.ScoreEveryScale(model, documents, checkAlive: checkAlive, share: share);
        var tokens = documents.Sum(document => SequenceScorer.ScoredTokens(document.Count));
        double[] losses = [.. Enumerable.Range(0, model.Config.ChainCount)
            .Select(scale => -sums.Sum(scales => scales[scale]) / tokens)];
        var trained = losses.TakeLast(scaleWeights.Length);
        return new(trained.Zip(scaleWeights, (loss, weight) => loss * weight).Sum(), losses, Metrics: []);
    }
}
