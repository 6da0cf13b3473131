using System.Diagnostics;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace Benchmarks;

/// <summary>One reading of all predictions, batch by batch, through Transform and a cursor as a program has it.</summary>
/// <param name="Latencies">Milliseconds of each row: its batch's time divided by the batch's rows.</param>
/// <param name="Milliseconds">Of all rows.</param>
internal sealed record ChainPass(List<double> Latencies, double Milliseconds)
{
    /// <param name="model">The pipeline.</param>
    /// <param name="data">The rows.</param>
    /// <param name="batchSize">Rows that the pipeline scores together.</param>
    /// <param name="longest">Milliseconds after which no further batch begins.</param>
    public static ChainPass Run(ITransformer model, IDataView data, int batchSize, double longest = double.PositiveInfinity)
    {
        var scored = model.Transform(data);
        DataViewSchema.Column[] columns = [.. scored.Schema.Where(column =>
            !column.IsHidden && (data.Schema.GetColumnOrNull(column.Name) is not { } source || column.Index != source.Index))];
        // By itself, so that nothing behind the scorer reads ahead of the rows whose time is taken.
        using var cursor = scored.GetRowCursorSet(columns, n: 1)[0];
        var readers = Array.ConvertAll(columns, column => Reader(cursor, column));
        var latencies = new List<double>();
        var (total, rows) = (0.0, batchSize);
        while (rows == batchSize && total < longest)
        {
            var start = Stopwatch.GetTimestamp();
            for (rows = 0; rows < batchSize && cursor.MoveNext(); rows++)
            {
                foreach (var read in readers)
                    read();
            }
            var time = Stopwatch.GetElapsedTime(start).TotalMilliseconds;
            total += time;
            latencies.AddRange(Enumerable.Repeat(time / rows, rows));
        }
        return new(latencies, total);
    }

    private static Action Reader(DataViewRow row, DataViewSchema.Column column) =>
        (Action)((Delegate)ReaderOf<int>).Method.GetGenericMethodDefinition()
            .MakeGenericMethod(column.Type.RawType).Invoke(null, [row, column])!;

    private static Action ReaderOf<T>(DataViewRow row, DataViewSchema.Column column)
    {
        var (read, value) = (row.GetGetter<T>(column), default(T)!);
        return () => read(ref value);
    }
}
