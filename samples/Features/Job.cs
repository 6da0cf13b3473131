using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.CoLM;

namespace Features;

/// <summary>Learns labels from a language model's features, with each chain count, and says which features matter.</summary>
/// <param name="mlContext">Whose seed is used.</param>
/// <param name="model">The language model, which nothing is trained of.</param>
internal sealed class Job(MLContext mlContext, CoLMModel model)
{
    private const int Shown = 5;

    public void Run(IDataView train, IDataView test)
    {
        for (var chains = 1; chains <= model.Config.Layout.ChainCount; chains++)
        {
            // Text becomes a vector, and a trainer of ML.NET's reads that.
            var pipeline = mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
            {
                Model = model,
                Task = ScoringTask.Features,
                ChainCount = chains,
            })
                // Without it the trainer reads, and so scores, the texts as often as it iterates: 84 times.
                .AppendCacheCheckpoint(mlContext)
                .Append(mlContext.BinaryClassification.Trainers.SdcaLogisticRegression());
            using var fitted = pipeline.Fit(train);

            // For the same reason: each feature's importance takes a pass over the test rows.
            var scored = mlContext.Data.Cache(fitted.Transform(test));
            Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
                $"{chains} chains: accuracy {mlContext.BinaryClassification.Evaluate(scored).Accuracy:P1}"));
            if (chains < model.Config.Layout.ChainCount)
                continue;

            var importance = mlContext.BinaryClassification.PermutationFeatureImportanceNonCalibrated(
                fitted, scored, permutationCount: 3);
            Console.WriteLine("What accuracy loses where a feature's values are shuffled among the rows:");
            foreach (var (name, metrics) in importance.OrderBy(entry => entry.Value.Accuracy.Mean).Take(Shown))
                Console.WriteLine(string.Create(CultureInfo.InvariantCulture, $"  {name,-12} {-metrics.Accuracy.Mean:P2}"));
        }
    }
}
