using Microsoft.ML;
using Microsoft.ML.CoLM;

namespace Samples;

/// <summary>The model that a sample works on: one from a folder, or a tiny one, trained in seconds.</summary>
internal static class TinyModel
{
    private static readonly string[] Lines =
        ["the cat sat on the mat. ", "the dog sat on the mat. ", "the dog ran to the cat. ", "the cat ran to the dog. "];

    /// <summary>Loads the folder that the first argument names, or trains a model of two chains.</summary>
    public static ElasticScoringTransformer LoadOrTrain(string[] args)
    {
        var mlContext = new MLContext(seed: 1);
        var rows = mlContext.Data.LoadFromEnumerable(Enumerable.Repeat(new Row(string.Concat(Lines)), 60));
        return args.Length > 0
            ? mlContext.Transforms.ElasticScoring(args[0]).Fit(rows)
            : mlContext.Transforms.ChainExpansion(new ChainExpansionEstimator.Options
            {
                Architecture = new CoLMConfig
                {
                    Layout = new ChainLayout(2, 4),
                    KvSharing = true,
                    VocabularySize = 258,
                    HiddenSize = 32,
                    IntermediateSize = 64,
                    LayerCount = 2,
                    ContextLength = 512,
                },
                Objective = TrainingObjective.MultiChain,
                LearningRate = 5e-3,
                SequenceLength = 64,
                MaxSteps = 80,
            }).Fit(rows);
    }

    private sealed record Row(string Text);
}
