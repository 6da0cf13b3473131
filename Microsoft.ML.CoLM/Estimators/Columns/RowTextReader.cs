namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Reads the text of the row that a cursor stands at.</summary>
/// <param name="row">The row.</param>
/// <param name="columns">The text columns, one or two.</param>
internal sealed class RowTextReader(DataViewRow row, DataViewSchema.Column[] columns)
{
    private readonly ValueGetter<ReadOnlyMemory<char>>[] _read =
        Array.ConvertAll(columns, row.GetGetter<ReadOnlyMemory<char>>);

    /// <summary>As an <see cref="IRowSource"/> asks for it.</summary>
    public static Func<RowText> Create(DataViewRow row, DataViewSchema.Column[] columns) =>
        new RowTextReader(row, columns).Read;

    public RowText Read() => new(Text(0), columns.Length == 1 ? null : Text(1));

    private string Text(int index)
    {
        ReadOnlyMemory<char> text = default;
        _read[index](ref text);
        return text.ToString();
    }
}
