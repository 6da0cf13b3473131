using Microsoft.ML;
using Microsoft.ML.CoLM;
using Samples;

namespace SweepSample;

/// <summary>Searches for how to tune later chains for a label.</summary>
internal static class SearchSweep
{
    private const int Seed = 1;

    public static void Run(
        string folder, FileInfo train, FileInfo validation, int rows, double seconds, string? checkpoint, Settings settings,
        CancellationToken cancellation)
    {
        var mlContext = new MLContext(Seed);
        var trainRows = mlContext.Data.TakeRows(Rows.LoadLabelled(mlContext, train, settings), rows);
        using var start = mlContext.Transforms.ElasticScoring(folder).Fit(trainRows);
        var heads = start.Model.Config.Layout.Heads[0];
        var space = new SweepSpace()
            .Choice<int[]>("addedChains", [heads], [heads, heads])
            .Choice("kvSharing", true, false)
            .Choice("initialization", ChainInitialization.Normal, ChainInitialization.CopyFirstChain)
            .Choice("learningRate", 5e-4, 1e-3, 2e-3, 4e-3);

        // The label becomes a key, the key is learnt, and the predicted key becomes a label again.
        IEstimator<ITransformer> Create(SweepSettings candidate) => mlContext.Transforms.Conversion.MapValueToKey("Label")
            .Append(mlContext.Transforms.ChainTuning(new ChainTuningEstimator.Options
            {
                Transformer = start,
                FrozenChains = start.Model.Config.Layout.ChainCount,
                AddedChains = candidate.Get<int[]>("addedChains"),
                KvSharing = candidate.Get<bool>("kvSharing"),
                Initialization = candidate.Get<ChainInitialization>("initialization"),
                LearningRate = candidate.Get<double>("learningRate"),
                Epochs = 2,
            }))
            .Append(mlContext.Transforms.Conversion.MapKeyToValue("Predicted", "PredictedLabel"));

        var sweep = mlContext.CoLM().CreateSweep()
            .SetPipeline(space, Create)
            .SetDataset(trainRows, Rows.LoadLabelled(mlContext, validation, settings))
            .SetMetric(settings.Metric ?? SweepMetric.MicroAccuracy)
            .SetRandomSearch(Seed)
            .SetTrainingTimeInSeconds(seconds)
            .SetLatencyBatchSize(settings.BatchSize)
            .SetMonitor(new DirectProgress<ChainTrial>(trial =>
                Console.WriteLine($"{trial.Id}: {trial.State} {trial.Metric:F4} {trial}")));
        if (checkpoint is not null)
            sweep.SetCheckpoint(checkpoint);
        using var result = sweep.RunAsync(cancellation).GetAwaiter().GetResult();
        Report.Write(result, settings);
        Lessons.Write(result);
    }
}
