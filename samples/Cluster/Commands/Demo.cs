using Microsoft.ML;
using Samples;

namespace ClusterSample.Commands;

/// <summary>What the program does without arguments.</summary>
internal static class Demo
{
    private const int RowCount = 6_400;
    private const int SiloCount = 2;
    private const int Threads = 1;

    public static async Task RunAsync(CancellationToken cancellationToken)
    {
        var folder = Directory.CreateTempSubdirectory("colm-cluster-model-");
        try
        {
            var path = Path.Combine(folder.FullName, "model.zip");
            Console.WriteLine("Trains a tiny model.");
            using (var model = TinyModel.LoadOrTrain([]))
            {
                var mlContext = new MLContext();
                mlContext.CoLM().Save(model, Rows.Stories(mlContext, 1).Schema, path, cancellationToken);
            }
            cancellationToken.ThrowIfCancellationRequested();
            using var file = ModelFile.Load(path, cancellationToken);
            using var cluster = await PrivateCluster.StartAsync(path, SiloCount, Threads, cancellationToken);
            var rows = Rows.Stories(file.MLContext, RowCount);
            await Job.RunAsync(file, rows, new() { Membership = cluster.Membership }, changes: null, @out: null, compares: false,
                cancellationToken);
            Console.WriteLine("The same, but one silo is killed and another joins.");
            var changes = new Changes(cluster, kills: true, joins: true, RowCount / 4, cancellationToken);
            await Job.RunAsync(file, rows, new() { Membership = cluster.Membership }, changes, @out: null, compares: true,
                cancellationToken);
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }
}
