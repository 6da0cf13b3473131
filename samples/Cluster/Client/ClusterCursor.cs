using ClusterSample.Blocks;
using Microsoft.ML;
using Microsoft.ML.Data;

namespace ClusterSample.Client;

/// <summary>The source's rows, with their scores block by block.</summary>
internal sealed class ClusterCursor : DataViewRowCursor
{
    private readonly ScoringPlan _plan;
    private readonly bool[] _active;
    private readonly DataViewRowCursor _rows;
    private readonly ScoringJob? _job;
    private RowBlock? _block;
    private int _row;

    public ClusterCursor(
        IDataView source, ScoringPlan plan, ScoringJobs jobs, IEnumerable<DataViewSchema.Column> columnsNeeded)
    {
        _plan = plan;
        DataViewSchema.Column[] needed = [.. columnsNeeded];
        _active = new bool[plan.Schema.Count];
        foreach (var column in needed)
            _active[column.Index] = true;
        _rows = source.GetRowCursor([.. needed.Select(plan.SourceOf).OfType<DataViewSchema.Column>().Distinct()]);
        _job = needed.Any(column => plan.SourceOf(column) is null) ? jobs.Begin(source, plan) : null;
    }

    public override DataViewSchema Schema => _plan.Schema;

    public override long Position => _rows.Position;

    public override long Batch => _rows.Batch;

    public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public override ValueGetter<DataViewRowId> GetIdGetter() => _rows.GetIdGetter();

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!_active[column.Index])
            throw new ArgumentException($"Column '{column.Name}' was not asked for when the cursor was made.", nameof(column));
        if (_plan.SourceOf(column) is { } source)
            return _rows.GetGetter<TValue>(source);
        var index = _plan.ComputedIndexOf(column);
        if (index < 0)
            throw new ArgumentException($"Column '{column.Name}' is hidden by another of its name.", nameof(column));
        RowBlock? block = null;
        ValueGetter<TValue>? getter = null;
        return (ref TValue value) =>
        {
            if (block != _block || getter is null)
            {
                block = _block ?? throw new InvalidOperationException("The cursor stands at no row.");
                getter = (ValueGetter<TValue>)block.CreateGetter(index, () => _row);
            }
            getter(ref value);
        };
    }

    public override bool MoveNext()
    {
        if (!_rows.MoveNext())
        {
            _block = null;
            return false;
        }
        if (_job is not null && (_block is null || ++_row == _block.RowCount))
        {
            _block = _job.Next() ?? throw new InvalidOperationException(
                FormattableString.Invariant($"The data ended after {_rows.Position} rows when it was read a second time."));
            _row = 0;
        }
        return true;
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _job?.Dispose();
            _rows.Dispose();
        }
        base.Dispose(disposing);
    }
}
