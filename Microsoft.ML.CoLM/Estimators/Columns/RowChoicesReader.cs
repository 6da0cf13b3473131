using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Reads the choices of the row that a cursor stands at.</summary>
internal sealed class RowChoicesReader
{
    private readonly DataViewRow _row;
    private readonly bool _hasOneContext;
    private readonly Func<string[]> _contexts;
    private readonly Func<string[]> _choices;

    private RowChoicesReader(DataViewRow row, DataViewSchema.Column context, DataViewSchema.Column choices)
    {
        (_row, _hasOneContext) = (row, context.Type is TextDataViewType);
        _contexts = _hasOneContext ? Text(row, context) : Texts(row, context);
        _choices = Texts(row, choices);
    }

    /// <summary>As an <see cref="IRowSource"/> asks for it.</summary>
    /// <param name="row">The row.</param>
    /// <param name="columns">The contexts' column, and the choices'.</param>
    public static Func<RowChoices> Create(DataViewRow row, DataViewSchema.Column[] columns) =>
        new RowChoicesReader(row, columns[0], columns[1]).Read;

    /// <summary>Reads a vector of texts.</summary>
    public static Func<string[]> Texts(DataViewRow row, DataViewSchema.Column column)
    {
        var read = row.GetGetter<VBuffer<ReadOnlyMemory<char>>>(column);
        VBuffer<ReadOnlyMemory<char>> texts = default;
        return () =>
        {
            read(ref texts);
            return [.. texts.DenseValues().Select(text => text.ToString())];
        };
    }

    private RowChoices Read() => new(_row.Position, _contexts(), _hasOneContext, _choices());

    private static Func<string[]> Text(DataViewRow row, DataViewSchema.Column column)
    {
        var read = row.GetGetter<ReadOnlyMemory<char>>(column);
        ReadOnlyMemory<char> text = default;
        return () =>
        {
            read(ref text);
            return [text.ToString()];
        };
    }
}
