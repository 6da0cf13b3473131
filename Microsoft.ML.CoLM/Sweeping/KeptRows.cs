using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>
/// Some rows of a source in memory, over and over again without an end, so that reading them takes no time that is worth measuring.
/// </summary>
/// <remarks>
/// They lie evenly over the source, which may be sorted by length or by class, and stand in an order in which the first ones
/// do, too, however few are taken.
/// </remarks>
internal sealed class KeptRows : IDataView
{
    // Of one turn, the golden ratio's share: multiples of it, each without its whole turns, are never far from evenly spread.
    private static readonly double GoldenShare = (Math.Sqrt(5) - 1) / 2;

    private readonly Dictionary<int, Array> _values;
    private readonly int _count;

    private KeptRows(DataViewSchema schema, Dictionary<int, Array> values, int count) =>
        (Schema, _values, _count) = (schema, values, count);

    /// <summary>Different rows.</summary>
    public int Count => _count;

    public bool CanShuffle => false;

    public DataViewSchema Schema { get; }

    /// <summary>Reads rows of a source.</summary>
    /// <param name="source">The source.</param>
    /// <param name="columns">The columns that will be asked for.</param>
    /// <param name="maximum">How many different rows to keep, where there are so many.</param>
    /// <param name="cancellationToken">Ends reading.</param>
    /// <exception cref="ArgumentException">The source has no rows.</exception>
    public static KeptRows Read(
        IDataView source, IReadOnlyList<DataViewSchema.Column> columns, int maximum,
        CancellationToken cancellationToken)
    {
        var all = source.GetRowCount() ?? CountRows(source, cancellationToken);
        var kept = (int)Math.Min(all, maximum);
        if (kept == 0)
            throw new ArgumentException("There are no rows to measure the latency of.");
        var readers = new List<ColumnReader>();
        using (var rows = source.GetRowCursor(columns))
        {
            readers.AddRange(columns.Select(column => ColumnReader.Of(rows, column)));
            var taken = 0;
            while (taken < kept && rows.MoveNext())
            {
                cancellationToken.ThrowIfCancellationRequested();
                if (rows.Position < (long)((taken + 0.5) * all / kept))
                    continue;
                readers.ForEach(reader => reader.Keep());
                taken++;
            }
            kept = taken;
        }
        int[] order = [.. Enumerable.Range(0, kept).OrderBy(i => i * GoldenShare % 1)];
        var values = columns.Zip(readers).ToDictionary(
            pair => pair.First.Index, pair => pair.Second.Kept(order));
        return new(source.Schema, values, kept);
    }

    /// <summary>Not known: rows come again and again, without an end.</summary>
    public long? GetRowCount() => null;

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null) =>
        new Cursor(this, columnsNeeded);

    public DataViewRowCursor[] GetRowCursorSet(
        IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) => [GetRowCursor(columnsNeeded, rand)];

    private static long CountRows(IDataView source, CancellationToken cancellationToken)
    {
        using var rows = source.GetRowCursor([]);
        long count = 0;
        while (rows.MoveNext())
        {
            cancellationToken.ThrowIfCancellationRequested();
            count++;
        }
        return count;
    }

    private sealed class Cursor(KeptRows rows, IEnumerable<DataViewSchema.Column> columns) : DataViewRowCursor
    {
        private readonly HashSet<int> _active = [.. columns.Select(column => column.Index)];
        private long _position = -1;

        public override long Position => _position;

        public override long Batch => 0;

        public override DataViewSchema Schema => rows.Schema;

        public override bool IsColumnActive(DataViewSchema.Column column) => _active.Contains(column.Index);

        public override bool MoveNext()
        {
            _position++;
            return true;
        }

        public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
        {
            var values = (TValue[])rows._values[column.Index];
            return (ref TValue value) => value = values[_position % rows._count];
        }

        public override ValueGetter<DataViewRowId> GetIdGetter() =>
            (ref DataViewRowId id) => id = new DataViewRowId((ulong)_position, 0);
    }
}
