namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A row's own text, a batch for itself.</summary>
internal sealed class SingleText(DataViewRow row, DataViewSchema.Column text) : ITextBatches
{
    private readonly ValueGetter<ReadOnlyMemory<char>> _readText = row.GetGetter<ReadOnlyMemory<char>>(text);
    private readonly string[] _texts = new string[1];
    private long? _position;

    public TextBatch Current()
    {
        // The columns of a row are asked for one after the other, its text is read once.
        if (_position != row.Position)
        {
            ReadOnlyMemory<char> read = default;
            _readText(ref read);
            (_texts[0], _position) = (read.ToString(), row.Position);
        }
        return new(row.Position, _texts, 0);
    }
}
