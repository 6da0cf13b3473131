using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Sweeping;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>Shorthand for sweeps of tiny models, whose latency is a made-up one: a millisecond for each chain.</summary>
internal static class Sweeps
{
    /// <summary>What a tuning of a tiny model is tried with.</summary>
    public static SweepSpace Rates(params double[] rates) => new SweepSpace().Choice("rate", rates);

    public static ChainSweep CreateQuickSweep(this MLContext mlContext)
    {
        var sweep = mlContext.CoLM().CreateSweep();
        sweep.MeasureLatency = (model, _, _, cancellationToken) =>
        {
            cancellationToken.ThrowIfCancellationRequested();
            var chains = ElasticChain.Find(model).ChainCount;
            return new(chains, 2 * chains, 1000.0 / chains);
        };
        return sweep;
    }

    /// <summary>A sweep over tunings, judged by the rows that they are trained on.</summary>
    public static ChainSweep Over(
        this MLContext mlContext, SweepSpace space, Func<SweepSettings, IEstimator<ITransformer>> create) => mlContext
        .CreateQuickSweep().SetPipeline(space, create).SetDataset(mlContext.Labelled(), mlContext.Labelled())
        .SetMetric(SweepMetric.MicroAccuracy);

    /// <summary>Tunes on a class that is a text; the class becomes a key in the pipeline.</summary>
    public static IEstimator<ITransformer> Tuning(
        this MLContext mlContext, ElasticScoringTransformer source, double rate = 3e-2, int steps = 2) => mlContext.Transforms
        .Conversion.MapValueToKey("Label", "Class").Append(mlContext.Transforms.ChainTuning(Options(source, rate, steps)));

    public static ChainTuningEstimator.Options Options(ElasticScoringTransformer source, double rate, int steps)
    {
        var options = Estimators.Tuning.Steps(source, steps);
        options.LearningRate = rate;
        return options;
    }

    /// <summary>Features of a text, and a classifier behind them.</summary>
    public static IEstimator<ITransformer> FeaturesPipeline(this MLContext mlContext, CoLMModel model, int chainCount) =>
        mlContext.Transforms.Conversion.MapValueToKey("Label", "Class")
            .Append(mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
            {
                Model = model,
                ChainCount = chainCount,
                Task = ScoringTask.Features,
            }))
            .AppendCacheCheckpoint(mlContext)
            .Append(mlContext.MulticlassClassification.Trainers.SdcaMaximumEntropy(
                new Trainers.SdcaMaximumEntropyMulticlassTrainer.Options { MaximumNumberOfIterations = 3, NumberOfThreads = 1 }));

    /// <summary>Disposes the models of a result.</summary>
    public static void DisposeModels(this ChainSweepResult result)
    {
        foreach (var trial in result.Trials)
            (trial.Model as IDisposable)?.Dispose();
    }

    /// <summary>The values of a column of text.</summary>
    public static string[] GetTexts(this IDataView data, string column) => [.. data.GetColumn<string>(column)];

    /// <summary>How many rows there are.</summary>
    public static long CountRows(this IDataView data) => data.GetTexts("Text").Length;

    /// <summary>The mean loss of a token in rows that a language model scored.</summary>
    public static double GetMeanLoss(this IDataView scored, MLContext mlContext) =>
        mlContext.CoLM().EvaluateLanguageModel(scored).Loss;

    /// <summary>What two runs of a sweep have in common.</summary>
    public static string[] Describe(this ChainSweepResult result) => [.. result.Trials.Select(Describe)];

    public static string Describe(ChainTrial trial) => FormattableString.Invariant(
        $"{trial.Id}: {trial.Settings.Describe()} at {trial.ChainCount}, {trial.State}, {trial.Metric:R}");

    /// <summary>
    /// Models are there of the trials that no other beats, and of none that another beats whose model is there. (What memory is
    /// measured to be is compared but for noise: of three trials, the second can beat the third, and the first the second, but
    /// not the third.)
    /// </summary>
    public static void HasTheModelsOfItsFrontier(ChainSweepResult result)
    {
        ChainTrial[] ranked = [.. result.Trials.Where(trial => trial.State == SweepTrialState.Completed)];
        TrialPoint[] all = [.. ranked.Select(PointOf)];
        TrialPoint[] kept = [.. ranked.Where(trial => trial.Model is not null).Select(PointOf)];
        foreach (var trial in ranked)
            Assert.IsTrue(PointOf(trial).IsNeededBeside(trial.Model is null ? all : kept) == (trial.Model is not null), Describe(trial));
        foreach (var trial in result.Trials.Except(ranked))
            Assert.IsNull(trial.Model);
        Assert.IsNotNull(result.Best.Model);

        TrialPoint PointOf(ChainTrial trial) => TrialPoint.Of(trial, result.IsMaximized, trial.Id, place: 0);
    }
}
