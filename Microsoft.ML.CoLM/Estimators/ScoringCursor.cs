using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The source's rows with their scores.</summary>
internal sealed class ScoringCursor : SynchronizedCursorBase, ITextBatches
{
    private readonly ColumnBindings _bindings;
    private readonly bool[] _active;
    private readonly ElasticScoringTransformer _transformer;
    private readonly TextsAhead? _texts;
    private readonly ScoringChannel _channel;
    private readonly Delegate[] _getters;

    /// <param name="host">Whose channel the cursor uses.</param>
    /// <param name="rows">The source's rows.</param>
    /// <param name="bindings">Where the columns come from.</param>
    /// <param name="active">Which columns were asked for.</param>
    /// <param name="transformer">What scores.</param>
    /// <param name="texts">The texts; null where no score column was asked for.</param>
    public ScoringCursor(
        IChannelProvider host, DataViewRowCursor rows, ColumnBindings bindings, bool[] active,
        ElasticScoringTransformer transformer, TextsAhead? texts)
        : base(host, rows)
    {
        (_bindings, _active, _transformer, _texts) = (bindings, active, transformer, texts);
        _channel = transformer.CreateChannel(hasEnd: true);
        _getters = texts is null ? [] : transformer.CreateGetters(this, _channel);
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

    Lifetime.Use ITextBatches.Enter() => _transformer.Enter();

    TextBatch ITextBatches.Current() => _texts!.At(Position);

    protected override void Dispose(bool disposing)
    {
        if (disposing)
        {
            _texts?.Dispose();
            _channel.Dispose();
        }
        base.Dispose(disposing);
    }
}
