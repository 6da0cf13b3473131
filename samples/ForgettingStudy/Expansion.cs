using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.CoLM;

namespace ForgettingStudy;

/// <summary>Grows the base by chains that are trained on stories.</summary>
internal static class Expansion
{
    /// <summary>All tuning starts from one expanded model.</summary>
    private const int Seed = 1;

    /// <summary>Makes the expanded model, writes it to a folder and tells how it and the base do on stories.</summary>
    /// <param name="files">The base and the stories.</param>
    /// <param name="settings">How to expand.</param>
    /// <param name="folder">The folder to write.</param>
    /// <param name="report">Told the share that is done.</param>
    public static ExpansionResult Run(
        InputFiles files, ExpansionSettings settings, string folder, Action<double> report)
    {
        var mlContext = new MLContext(Seed);
        using var baseModel = CoLMModel.Load(files.Model);
        if (baseModel.Config.Layout.ChainCount > 1)
        {
            throw new InvalidDataException(
                $"--model must be a model of one chain, found {baseModel.Config.Layout} in {files.Model}.");
        }
        var clock = Stopwatch.StartNew();
        // As samples/QuickStart does.
        using var expanded = mlContext.Transforms.ChainExpansion(new ChainExpansionEstimator.Options
        {
            Model = baseModel,
            AddedChains = [.. ChainLayout.Parse(settings.Chains).Heads],
            KvSharing = settings.KvSharing,
            Initialization = settings.Initialization,
            MaxSteps = settings.Steps,
            WarmupSteps = Math.Min(30, settings.Steps / 10),
            SequenceLength = Math.Min(256, baseModel.Config.ContextLength),
            LearningRate = 2e-3,
            Seed = Seed,
            Progress = new StepRecorder(report),
        }).Fit(mlContext.Data.LoadFromEnumerable(StoryFile.Read(files.StoriesTrain)));
        clock.Stop();

        var stories = StoryFile.Read(files.StoriesValidation);
        var (model, chains) = (expanded.Model, expanded.ChainCount);
        var before = StoryScores.Of(mlContext, baseModel, chainCount: 1, stories);
        var atOne = StoryScores.Of(mlContext, model, chainCount: 1, stories);
        model.Save(folder);
        return new(stories.Length, baseModel.ParameterCount(chainCount: 1),
            model.ParameterCount(chains), before.Loss, atOne.Loss,
            StoryScores.Of(mlContext, model, chains, stories).Loss, atOne.IsSameAs(before), clock.Elapsed.TotalSeconds);
    }
}
