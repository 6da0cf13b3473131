using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A source with the score columns beside its own, scored batch by batch as a cursor moves.</summary>
/// <remarks>
/// A second cursor runs a batch ahead and reads the text alone. Rows keep the source's order: two cursors over a
/// shuffled source would not see the same rows.
/// </remarks>
internal sealed class ScoringDataView : IDataView
{
    private readonly IHost _host;
    private readonly IDataView _source;
    private readonly ElasticScoringTransformer _transformer;
    private readonly ColumnBindings _bindings;
    private readonly DataViewSchema.Column[] _texts;

    public ScoringDataView(IHost host, IDataView source, ElasticScoringTransformer transformer)
    {
        (_host, _source, _transformer) = (host, source, transformer);
        _texts = transformer.Settings.Columns.In(source.Schema);
        _bindings = new ColumnBindings(source.Schema, transformer.OutputColumns());
    }

    public bool CanShuffle => false;

    public DataViewSchema Schema => _bindings.Schema;

    public long? GetRowCount() => _source.GetRowCount();

    public DataViewRowCursor GetRowCursor(IEnumerable<DataViewSchema.Column> columnsNeeded, Random? rand = null)
    {
        var active = new bool[Schema.Count];
        foreach (var column in columnsNeeded)
            active[column.Index] = true;
        var sourceColumns = _bindings.GetActiveInput(index => active[index]);
        var rows = _source.GetRowCursor(_source.Schema.Where(column => sourceColumns[column.Index]));
        var ahead = _bindings.AddedColumnIndices.Any(index => active[index]) ? _source.GetRowCursor(_texts) : null;
        return new ScoringCursor(_host, rows, _bindings, active, _transformer, ahead, _texts);
    }

    public DataViewRowCursor[] GetRowCursorSet(
        IEnumerable<DataViewSchema.Column> columnsNeeded, int n, Random? rand = null) =>
        [GetRowCursor(columnsNeeded, rand)];
}
