namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Shorthand for short trainings of tiny models.</summary>
internal static class Expansion
{
    /// <summary>Rows of text that repeat themselves, so that a few steps teach a model something.</summary>
    public static readonly string[] Corpus = [.. Enumerable.Range(0, 24).Select(i => TextModels.Sentence(30 + i * 3))];

    /// <summary>A few quick steps.</summary>
    public static ChainExpansionEstimator.Options Steps(int steps) => new()
    {
        SequenceLength = 32,
        BatchSize = 4,
        MaxSteps = steps,
        WarmupSteps = 0,
        LearningRate = 1e-2,
        Seed = 3,
    };

    /// <summary>A few quick steps that add chains to a model.</summary>
    public static ChainExpansionEstimator.Options Grow(CoLMModel model, int steps, params int[] addedChains)
    {
        var options = Steps(steps);
        (options.Model, options.AddedChains) = (model, addedChains);
        return options;
    }

    /// <summary>A few quick steps of a model from nothing.</summary>
    public static ChainExpansionEstimator.Options FromNothing(int steps, params int[] chains)
    {
        var options = Steps(steps);
        options.Architecture = TextModels.Config(chains) with { KvSharing = true };
        return options;
    }

    public static ElasticScoringTransformer Fit(
        this MLContext mlContext, ChainExpansionEstimator.Options options, params IEnumerable<string?> texts) =>
        mlContext.Transforms.ChainExpansion(options).Fit(mlContext.Rows(texts.Any() ? texts : Corpus));
}
