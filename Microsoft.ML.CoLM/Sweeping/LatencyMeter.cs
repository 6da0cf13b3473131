using System.Diagnostics;
using Microsoft.ML.CoLM.Estimators;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Measures how fast a pipeline scores, after a warm-up.</summary>
/// <remarks>
/// As a program has it that reads predictions through a cursor: everything of the pipeline counts, the source of the rows
/// does not. All rows of a batch wait for all of it, so each has the batch's time divided by its rows.
/// </remarks>
internal static class LatencyMeter
{
    // So many that the 95th percentile has ten above it; then all rows as often, since long ones decide it.
    private const int EnoughBatches = 200;

    // So few that a slow model is measured at all, and its median is not the largest of them.
    private const int FewestBatches = 3;

    // Lengths of more rows than these tell no more; at 64 rows a batch they come again after 32 of them.
    private const int MostRows = 2048;

    // The first calls compile code, start threads and page weights in, and code that is called often is compiled anew: rows
    // are scored for so long, and again as long as that makes them faster by more than this share, for so many times at most.
    private static readonly TimeSpan WarmUp = TimeSpan.FromSeconds(0.5);
    private const double WarmUpGain = 0.03;
    private const int MostWarmUps = 6;

    // A trial of a small model ends sooner, with enough batches; a large one's few batches take longer.
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(5);

    /// <param name="model">The fitted pipeline, at the chain count that it has.</param>
    /// <param name="data">Raw rows.</param>
    /// <param name="batchSize">Rows that are scored together.</param>
    /// <param name="cancellationToken">Ends it between two batches.</param>
    /// <exception cref="ArgumentException">There are no rows.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public static Latency Measure(
        ITransformer model, IDataView data, int batchSize, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var batched = ElasticChain.Replace(
            model, transformer => transformer.With(transformer.Settings with { BatchSize = batchSize }));
        try
        {
            return Measured(batched, data, batchSize, cancellationToken);
        }
        finally
        {
            (batched as IDisposable)?.Dispose();
        }
    }

    private static Latency Measured(
        ITransformer model, IDataView data, int batchSize, CancellationToken cancellationToken)
    {
        var predictions = PredictedColumns(model.GetOutputSchema(data.Schema), data.Schema);
        var rows = KeptRows.Read(data, SourceColumns(model, data.Schema, predictions), MostRows, cancellationToken);
        var scored = model.Transform(rows);
        predictions = [.. predictions.Select(column => scored.Schema[column.Index])];
        // Of the cursors that GetRowCursor gives, those of transforms behind the model read rows ahead, on other threads: the
        // time of a batch would be another one's.
        using var cursor = scored.GetRowCursorSet(predictions, n: 1).Single();
        ColumnReader[] readers = [.. predictions.Select(column => ColumnReader.Of(cursor, column))];
        Settle();

        Warm(() => ReadBatch(cursor, readers, batchSize, cancellationToken));
        var ofAllRows = (rows.Count + batchSize - 1) / batchSize;
        var enough = (EnoughBatches + ofAllRows - 1) / ofAllRows * ofAllRows;
        List<double> batches = []; // milliseconds
        var started = Stopwatch.GetTimestamp();
        while (batches.Count < FewestBatches || (batches.Count < enough && Stopwatch.GetElapsedTime(started) < Limit))
        {
            batches.Add(ReadBatch(cursor, readers, batchSize, cancellationToken).TotalMilliseconds);
        }
        var ordered = batches.Select(batch => batch / batchSize).Order().ToArray();
        return new(Quantile(ordered, 0.5), Quantile(ordered, 0.95),
            RowsPerSecond: 1000 * (double)batchSize * batches.Count / batches.Sum());
    }

    private static void Warm(Action readBatch)
    {
        var (best, isFaster) = (0.0, true); // batches a second
        for (var i = 0; i < MostWarmUps && isFaster; i++)
        {
            var started = Stopwatch.GetTimestamp();
            var batches = 0;
            for (; batches == 0 || Stopwatch.GetElapsedTime(started) < WarmUp; batches++)
                readBatch();
            var speed = batches / Stopwatch.GetElapsedTime(started).TotalSeconds;
            isFaster = speed > best * (1 + WarmUpGain);
            best = Math.Max(best, speed);
        }
    }

    private static TimeSpan ReadBatch(
        DataViewRowCursor cursor, ColumnReader[] readers, int batchSize, CancellationToken cancellationToken)
    {
        cancellationToken.ThrowIfCancellationRequested();
        var started = Stopwatch.GetTimestamp();
        for (var row = 0; row < batchSize; row++)
        {
            cursor.MoveNext();
            foreach (var reader in readers)
                reader.Touch();
        }
        return Stopwatch.GetElapsedTime(started);
    }

    // What garbage there is of earlier work is not to be collected meanwhile.
    private static void Settle()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
    }

    // The smallest of the values that a share of them are at most.
    private static double Quantile(double[] ordered, double share) =>
        ordered[Math.Max(0, (int)Math.Ceiling(share * ordered.Length) - 1)];

    /// <summary>What a program reads: predictions, or, of a pipeline without any, all columns that it adds.</summary>
    private static DataViewSchema.Column[] PredictedColumns(DataViewSchema scored, DataViewSchema source)
    {
        DataViewSchema.Column[] visible = [.. scored.Where(column => !column.IsHidden)];
        DataViewSchema.Column[] added = [.. visible.Where(column => source.GetColumnOrNull(column.Name) is null)];
        DataViewSchema.Column[] predicted = [.. added.Where(column => Predictions.Names.Contains(column.Name))];
        return predicted.Length > 0 ? predicted : added.Length > 0 ? added : visible;
    }

    /// <summary>The source's columns that these are made of; all where the pipeline does not say.</summary>
    private static DataViewSchema.Column[] SourceColumns(
        ITransformer model, DataViewSchema source, DataViewSchema.Column[] predicted)
    {
        if (!model.IsRowToRowMapper)
            return [.. source];
        var mapper = model.GetRowToRowMapper(source);
        var indices = predicted.Select(column => column.Index).ToHashSet();
        return [.. mapper.GetDependencies(mapper.OutputSchema.Where(column => indices.Contains(column.Index)))];
    }
}
