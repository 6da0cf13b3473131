using Microsoft.ML;
using Microsoft.ML.CoLM;

namespace Samples;

/// <summary>QuickStart's model: a small base trained on generated stories, and grown by a chain.</summary>
internal static class StoryModel
{
    /// <summary>The zip that QuickStart writes, in the current directory.</summary>
    public const string FileName = "model.zip";

    /// <summary>Optimizer steps of each of the two trainings.</summary>
    public const int Steps = 150;

    /// <summary>The added chain's learning rate after the warm-up.</summary>
    public const double LearningRate = 2e-3;

    private const int Seed = 1;
    private const int TrainCount = 1500;
    private const int ValidationCount = 200;
    private const int StepsBetweenReports = 50;

    /// <summary>Loads QuickStart's zip where the current directory has it; else makes it as QuickStart does.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static ITransformer LoadOrTrain(MLContext mlContext, CancellationToken cancellationToken = default)
    {
        var path = Path.GetFullPath(FileName);
        if (File.Exists(path))
        {
            Console.WriteLine($"Loads {path}.");
            return mlContext.CoLM().Load(path, out _, cancellationToken);
        }
        Console.WriteLine($"There is no {path}: makes QuickStart's model, which takes a minute or two.");
        var (train, validation) = Stories(mlContext);
        using var small = Fit(mlContext, "base", train, Base(Steps), validation, cancellationToken);
        var grown = Fit(mlContext, "added chain", train, Growth(small.Model, Steps), validation, cancellationToken);
        mlContext.CoLM().Save(grown, train.Schema, path, cancellationToken);
        Console.WriteLine($"Saved {path}.");
        return grown;
    }

    /// <summary>Trains QuickStart's base, and saves it as a folder.</summary>
    /// <exception cref="OperationCanceledException">The token was cancelled.</exception>
    public static void SaveBase(MLContext mlContext, string folder, CancellationToken cancellationToken = default)
    {
        var (train, validation) = Stories(mlContext);
        using var small = Fit(mlContext, "base", train, Base(Steps), validation, cancellationToken);
        small.Model.Save(folder, cancellationToken: cancellationToken);
    }

    /// <summary>The stories that QuickStart trains and validates on: rows of a text.</summary>
    public static (IDataView Train, IDataView Validation) Stories(MLContext mlContext)
    {
        var stories = new StoryGenerator(Seed);
        IDataView Write(int count) => mlContext.Data.LoadFromEnumerable(
            Enumerable.Range(0, count).Select(_ => new Document { Text = stories.Write() }).ToArray());
        return (Write(TrainCount), Write(ValidationCount));
    }

    /// <summary>How the base is trained.</summary>
    public static ChainExpansionEstimator.Options Base(int steps) => new()
    {
        Architecture = new CoLMConfig
        {
            Layout = new ChainLayout(4),
            VocabularySize = 258,
            HiddenSize = 64,
            IntermediateSize = 176,
            LayerCount = 3,
            KeyValueHeadCount = 2,
            ContextLength = 512,
            TieWordEmbeddings = true,
        },
        MaxSteps = steps,
        WarmupSteps = WarmupSteps(steps),
        LearningRate = 4e-3,
    };

    /// <summary>How a model is grown by a chain as wide as its first.</summary>
    public static ChainExpansionEstimator.Options Growth(CoLMModel model, int steps) => new()
    {
        Model = model,
        AddedChains = [model.Config.Layout.Heads[0]],
        KvSharing = true,
        MaxSteps = steps,
        WarmupSteps = WarmupSteps(steps),
        SequenceLength = Math.Min(256, model.Config.ContextLength),
        LearningRate = LearningRate,
    };

    // A tenth of a short training, so that it comes to its learning rate.
    private static int WarmupSteps(int steps) => Math.Min(30, steps / 10);

    private static ElasticScoringTransformer Fit(
        MLContext mlContext, string title, IDataView train, ChainExpansionEstimator.Options options, IDataView validation,
        CancellationToken cancellationToken)
    {
        options.ValidationSet = validation;
        options.CancellationToken = cancellationToken;
        options.Progress = new DirectProgress<TrainingProgress>(progress =>
        {
            if (progress.Step % StepsBetweenReports == 0)
                Console.WriteLine($"  {title}: step {progress.Step} of {progress.TotalSteps}, loss {progress.Loss:F3}");
        });
        var fitted = mlContext.Transforms.ChainExpansion(options).Fit(train);
        if (cancellationToken.IsCancellationRequested)
        {
            fitted.Dispose();
            throw new OperationCanceledException(cancellationToken);
        }
        return fitted;
    }
}
