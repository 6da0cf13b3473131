using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Microsoft.ML.Data;

namespace ForgettingStudy;

/// <summary>Tunes by one method with one seed, and measures what that takes, gives and costs.</summary>
internal static class Tuning
{
    private const long MiB = 1 << 20;

    /// <param name="files">The base and the texts.</param>
    /// <param name="settings">What to do.</param>
    /// <param name="expandedFolder">Where the expanded model is.</param>
    /// <param name="report">Told the share that is done.</param>
    public static RunResult Run(
        InputFiles files, RunSettings settings, string expandedFolder, Action<double> report)
    {
        var mlContext = new MLContext(settings.Seed);
        var method = Method.Of(settings.Method);
        var sets = SentenceSets.Read(files, settings.LeavesOutOverlap);
        Sentence[] sentences = [.. sets.Train.Take(settings.Rows ?? int.MaxValue)];
        var rows = mlContext.Data.LoadFromEnumerable(sentences);
        var keys = mlContext.Transforms.Conversion.MapValueToKey("Label").Fit(rows);
        var train = keys.Transform(rows);
        var validation = keys.Transform(mlContext.Data.LoadFromEnumerable(sets.Validation));

        using var model = CoLMModel.Load(
            method.IsExpanded ? expandedFolder : files.Model, dtype: settings.DataType);
        using var start = mlContext.Transforms
            .ElasticScoring(new ElasticScoringEstimator.Options { Model = model })
            .Fit(train);
        var stepsOfEpoch = Math.Max(1, (sentences.Length + settings.Batch - 1) / settings.Batch);
        var options = method.Options(start, settings);
        options.BatchSize = settings.Batch;
        options.Epochs = settings.Epochs;
        var recipe = settings.Recipe;
        (options.LearningRate, options.Pooling) = (recipe.LearningRate, recipe.Pooling);
        options.HeadLearningRate = recipe.HeadRate * recipe.LearningRate;
        (options.Decay, options.WeightDecay) = (LearningRateDecay.Cosine, recipe.WeightDecay);
        options.LabelSmoothing = recipe.LabelSmoothing;
        options.SequenceLength = Math.Min(256, model.Config.ContextLength);
        options.WarmupSteps = Math.Min(options.WarmupSteps, stepsOfEpoch * settings.Epochs / 10);
        options.ValidationSet = validation;
        options.ValidationInterval = Math.Max(1, stepsOfEpoch / settings.ValidationsPerEpoch);
        options.RestoreBest = settings.RestoresBest;
        options.FrozenFeatureMemoryBytes = settings.FeatureMemory * MiB;
        (options.FrozenFeatureFolder, options.FrozenFeatureDiskBytes) = (Path.GetTempPath(), settings.FeatureDisk * MiB);
        options.Seed = settings.Seed;

        var memory = new ResidentMemory();
        var recorder = new StepRecorder(report, memory);
        options.Progress = recorder;
        var clock = Stopwatch.StartNew();
        using var tuned = mlContext.Transforms.ChainTuning(options).Fit(train);
        var seconds = clock.Elapsed.TotalSeconds;

        var judgement = settings.IsJudged
            ? Judged(mlContext, files, settings, tuned, keys.Transform(mlContext.Data.LoadFromEnumerable(sets.Judge))) : null;
        var trained = tuned.Training!.TrainedParameterCount;
        return new(judgement, trained, trained + UntrainedParameters(tuned.Model), tuned.Training.Steps,
            recorder.MedianSeconds(1, stepsOfEpoch) ?? seconds / tuned.Training.Steps,
            recorder.MedianSeconds(stepsOfEpoch + 1, int.MaxValue), memory.Growth, seconds, [.. recorder.Losses],
            [.. recorder.Validations]);
    }

    private static Judgement Judged(
        MLContext mlContext, InputFiles files, RunSettings settings, ElasticScoringTransformer tuned, IDataView rows)
    {
        string[] right = [.. Enumerable.Range(1, tuned.ChainCount).Select(chainCount =>
        {
            using var elastic = tuned.WithChainCount(chainCount);
            return Right(elastic.Transform(rows));
        })];
        var stories = StoryFile.Read(files.StoriesValidation);
        using var baseModel = CoLMModel.Load(files.Model, dtype: settings.DataType);
        var before = StoryScores.Of(mlContext, baseModel, chainCount: 1, stories);
        var atOne = StoryScores.Of(mlContext, tuned.Model, chainCount: 1, stories);
        var atTop = StoryScores.Of(mlContext, tuned.Model, tuned.ChainCount, stories);
        return new(right, atOne.Loss, atTop.Loss, atOne.IsSameAs(before));
    }

    private static string Right(IDataView scored) => string.Concat(scored.GetColumn<uint>("PredictedLabel")
        .Zip(scored.GetColumn<uint>("Label"), (found, label) => found == label ? '1' : '0'));

    private static long UntrainedParameters(CoLMModel model) =>
        model.parameters().Where(parameter => !parameter.requires_grad).Sum(parameter => parameter.numel());
}
