using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>How many tokens texts have, without making tokens of all of them.</summary>
internal static class TokenEstimate
{
    // Rows whose tokens are counted: their share of tokens a character is taken for all.
    private const int CountedRows = 256;

    /// <param name="data">The rows.</param>
    /// <param name="columns">Their text columns.</param>
    /// <param name="tokenizer">What makes tokens of them.</param>
    /// <param name="maxLength">Tokens of a row that are read.</param>
    /// <returns>How many rows there are, and about how many tokens.</returns>
    public static (long Rows, long Tokens) Of(
        IDataView data, DataViewSchema.Column[] columns, Tokenizer tokenizer, int maxLength)
    {
        using var cursor = data.GetRowCursor(columns);
        var reader = new RowTextReader(cursor, columns);
        long rows = 0, characters = 0, counted = 0;
        double tokens = 0;
        var share = 1.0; // tokens a character
        while (cursor.MoveNext())
        {
            var text = reader.Read();
            var length = text.First.Length + (text.Second?.Length ?? 0);
            if (rows++ < CountedRows)
            {
                characters += length;
                counted += tokenizer.CountTokens(text.First) + (text.Second is { } second ? tokenizer.CountTokens(second) : 0);
                share = characters == 0 ? 1 : (double)counted / characters;
            }
            // One more begins the text.
            tokens += Math.Min(maxLength, 1 + length * share);
        }
        return (rows, (long)Math.Ceiling(tokens));
    }
}
