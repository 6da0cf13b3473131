using Microsoft.ML;
using Microsoft.ML.CoLM;

namespace ForgettingStudy;

/// <summary>How well a model tells stories.</summary>
internal sealed class StoryScores
{
    private readonly StoryScore[] _scores;

    private StoryScores(StoryScore[] scores) => _scores = scores;

    /// <summary>The mean loss of a token, natural log.</summary>
    public double Loss => -_scores.Sum(score => (double)score.LogProbability) / _scores.Sum(score => (long)score.TokenCount);

    /// <summary>Scores stories as a language model does, whatever else the model was tuned for.</summary>
    public static StoryScores Of(MLContext mlContext, CoLMModel model, int chainCount, IEnumerable<Story> stories)
    {
        var data = mlContext.Data.LoadFromEnumerable(stories);
        using var transformer = mlContext.Transforms
            .ElasticScoring(new ElasticScoringEstimator.Options { Model = model, ChainCount = chainCount })
            .Fit(data);
        return new([.. mlContext.Data.CreateEnumerable<StoryScore>(transformer.Transform(data), reuseRowObject: false)]);
    }

    /// <summary>Whether every story has the same bits.</summary>
    public bool IsSameAs(StoryScores other) => _scores.Length == other._scores.Length && _scores.Zip(other._scores)
        .All(pair => BitConverter.SingleToInt32Bits(pair.First.LogProbability) ==
            BitConverter.SingleToInt32Bits(pair.Second.LogProbability));
}
