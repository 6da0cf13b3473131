using Microsoft.ML;
using Microsoft.ML.CoLM;
using Samples;

namespace SweepSample;

/// <summary>Sweeps the chain counts of a fitted model, and its cascades.</summary>
internal static class ModelSweep
{
    public static void Run(
        FileInfo? zip, FileInfo? data, Settings settings, double[] tolerances, CancellationToken cancellation)
    {
        var mlContext = new MLContext(seed: 1);
        DataViewSchema? schema = null;
        var model = zip is null
            ? StoryModel.LoadOrTrain(mlContext, cancellation) : mlContext.CoLM().Load(zip.FullName, out schema, cancellation);
        using var disposed = model as IDisposable;
        var (train, rows) = StoryModel.Stories(mlContext);
        if (data is not null)
            rows = Rows.Load(mlContext, data, schema ?? train.Schema, settings);
        var metric = settings.Metric ??
            (rows.Schema.GetColumnOrNull("Label") is null ? SweepMetric.Loss : SweepMetric.MicroAccuracy);

        var sweep = mlContext.CoLM().CreateSweep().SetModel(model).SetMetric(metric).SetLatencyBatchSize(settings.BatchSize);
        if (tolerances.Length > 0)
        {
            // Thresholds are found on rows that no trial is judged on.
            var halves = mlContext.Data.TrainTestSplit(rows, testFraction: 0.5);
            rows = halves.TestSet;
            sweep.SetCascadeCalibration(halves.TrainSet, tolerances);
        }
        using var result = sweep.SetDataset(train: rows, validation: rows).RunAsync(cancellation).GetAwaiter().GetResult();
        Report.Write(result, settings);
    }
}
