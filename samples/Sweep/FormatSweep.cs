using Microsoft.ML;
using Microsoft.ML.CoLM;
using Samples;

namespace SweepSample;

/// <summary>Sweeps weight formats beside chain counts: nothing is trained.</summary>
internal static class FormatSweep
{
    public static void Run(string folder, FileInfo? data, Settings settings, CancellationToken cancellation)
    {
        var mlContext = new MLContext(seed: 1);
        var (train, rows) = StoryModel.Stories(mlContext);
        if (data is not null)
            rows = Rows.Load(mlContext, data, train.Schema, settings);
        var space = new SweepSpace().Choice<WeightFormat?>("format", [null, .. Enum.GetValues<WeightFormat>()]);
        using var result = mlContext.CoLM().CreateSweep()
            .SetPipeline(space, candidate => mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
            {
                ModelFolder = folder,
                Format = candidate.Get<WeightFormat?>("format"),
            }))
            .SetDataset(train: rows, validation: rows)
            .SetMetric(settings.Metric ?? (rows.Schema.GetColumnOrNull("Label") is null ? SweepMetric.Loss : SweepMetric.MicroAccuracy))
            .SetLatencyBatchSize(settings.BatchSize)
            .RunAsync(cancellation).GetAwaiter().GetResult();
        Report.Write(result, settings);
    }
}
