using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The source's rows with their scores.</summary>
internal sealed class ScoringCursor : SynchronizedCursorBase, IRowSource
{
    private readonly ColumnBindings _bindings;
    private readonly bool[] _active;
    private readonly ElasticScoringTransformer _transformer;
    private readonly DataViewRowCursor? _ahead;
    private readonly DataViewSchema.Column[] _texts;
    private readonly ScoringChannel _channel;
    private readonly Delegate[] _getters;

    /// <param name="host">Whose channel the cursor uses.</param>
    /// <param name="rows">The source's rows.</param>
    /// <param name="bindings">Where the columns come from.</param>
    /// <param name="active">Which columns were asked for.</param>
    /// <param name="transformer">What scores.</param>
    /// <param name="ahead">The same rows with the texts alone; null where no score column was asked for.</param>
    /// <param name="texts">The columns of the texts.</param>
    public ScoringCursor(
        IChannelProvider host, DataViewRowCursor rows, ColumnBindings bindings, bool[] active,
        ElasticScoringTransformer transformer, DataViewRowCursor? ahead, DataViewSchema.Column[] texts)
        : base(host, rows)
    {
        (_bindings, _active, _transformer, _ahead, _texts) = (bindings, active, transformer, ahead, texts);
        _channel = transformer.CreateChannel(hasEnd: true);
        _getters = ahead is null ? [] : transformer.CreateGetters(this, _channel);
    }

    public override DataViewSchema Schema => _bindings.Schema;

    public override bool IsColumnActive(DataViewSchema.Column column) => _active[column.Index];

    public override ValueGetter<TValue> GetGetter<TValue>(DataViewSchema.Column column)
    {
        if (!_active[column.Index])
            throw Ch.ExceptParam(nameof(column), $"Column '{column.Name}' was not asked for when the cursor was made.");
        var index = _bindings.MapColumnIndex(out var isSource, column.Index);
        if (isSource)
            return Input.GetGetter<TValue>(Input.Schema[index]);
        return _getters[index] as ValueGetter<TValue> ?? throw Ch.ExceptParam(nameof(column),
            $"Column '{column.Name}' is of type {column.Type}, found a getter of {typeof(TValue)}.");
    }

    Lifetime.Use IRowSource.Enter() => _transformer.Enter();

    Func<RowBatch<TRow>> IRowSource.Read<TRow>(Func<DataViewRow, DataViewSchema.Column[], Func<TRow>> createReader)
    {
        var rows = new RowsAhead<TRow>(_ahead!, createReader(_ahead!, _texts), _transformer.Settings.BatchSize);
        return () => rows.At(Position);
    }

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _ahead?.Dispose();
            _channel.Dispose();
        }
        base.Dispose(disposing);
    }
}
