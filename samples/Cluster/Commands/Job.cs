using System.Diagnostics;
using System.Globalization;
using ClusterSample.Blocks;
using ClusterSample.Client;
using Microsoft.ML;
using TorchSharp;

namespace ClusterSample.Commands;

/// <summary>The scoring of rows, told of on the console.</summary>
internal static class Job
{
    private const int SecondsBetweenReports = 2;

    /// <summary>Scores rows.</summary>
    /// <param name="file">The model.</param>
    /// <param name="rows">The rows.</param>
    /// <param name="options">How the cluster is used; the progress and the log are this method's.</param>
    /// <param name="changes">What happens meanwhile; null for nothing.</param>
    /// <param name="out">File of tab-separated values to write; null for none.</param>
    /// <param name="compares">Whether to score here, too, and to compare.</param>
    /// <param name="cancellationToken">Ends it.</param>
    /// <exception cref="InvalidOperationException">The scores differ from those that the model gives here.</exception>
    public static async Task RunAsync(
        ModelFile file, IDataView rows, ClientOptions options, Changes? changes, string? @out, bool compares,
        CancellationToken cancellationToken)
    {
        var report = new JobReport(SecondsBetweenReports);
        if (changes is not null)
            report.Scored = changes.Scored;
        options = options with { Progress = report, Log = line => Console.WriteLine($"  {line}") };
        await using var scorer = await ClusterScorer.ConnectAsync(file, options, cancellationToken);
        var scored = scorer.Transform(rows);
        var clock = Stopwatch.StartNew();
        try
        {
            if (@out is not null)
            {
                await using var stream = File.Create(@out);
                file.MLContext.Data.SaveAsText(scored, stream, schema: false);
            }
            else if (compares)
            {
                // It holds for the thread that calls it.
                torch.set_num_threads(scorer.Threads);
                if (ViewComparison.FirstDifference(scorer.Local.Transform(rows), scored) is { } difference)
                    throw new InvalidOperationException($"The scores are not those that the model gives here: {difference}.");
            }
            else
            {
                ReadAll(scored, cancellationToken);
            }
        }
        finally
        {
            changes?.Wait();
        }
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{report.Rows} rows in {clock.Elapsed.TotalSeconds:F1} s, {report.Rows / clock.Elapsed.TotalSeconds:F0} a second" +
            $"{(compares && @out is null ? ", scoring here and comparing included" : "")}"));
        report.WriteSilos();
        if (compares && @out is null)
            Console.WriteLine("Columns, rows, their order and their scores are to the bit those of Transform here.");
    }

    /// <summary>Reads every column of every row.</summary>
    public static void ReadAll(IDataView view, CancellationToken cancellationToken)
    {
        DataViewSchema.Column[] columns = [.. view.Schema.Where(column => !column.IsHidden)];
        using var cursor = view.GetRowCursor(columns);
        RowBlock.Read(cursor, columns, int.MaxValue, cancellationToken);
    }
}
