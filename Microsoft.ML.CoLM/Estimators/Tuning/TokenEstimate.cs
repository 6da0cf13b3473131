using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>How many tokens texts have, without making tokens of all of them.</summary>
internal static class TokenEstimate
{
    // Rows that are made tokens of: as many as these have for a character, all others are taken to have.
    private const int CountedRows = 256;

    /// <param name="data">The rows.</param>
    /// <param name="columns">Their text columns.</param>
    /// <param name="model">The model that will read them, and its tokenizer.</param>
    /// <param name="maxLength">Tokens of a row that are read.</param>
    /// <returns>How many rows there are, and about how many tokens.</returns>
    public static (long Rows, long Tokens) Of(
        IDataView data, DataViewSchema.Column[] columns, ElasticScoringTransformer model, int maxLength)
    {
        using var cursor = data.GetRowCursor(columns);
        var reader = new RowTextReader(cursor, columns);
        var names = string.Join("', '", columns.Select(column => column.Name));
        double tokens = 0, countedTokens = 0, countedCharacters = 0;
        long rows = 0;
        while (cursor.MoveNext())
        {
            var text = reader.Read();
            var characters = text.First.Length + (text.Second?.Length ?? 0);
            if (rows++ >= CountedRows)
            {
                tokens += countedCharacters == 0
                    ? maxLength : Math.Min(maxLength, characters * countedTokens / countedCharacters);
                continue;
            }
            var length = TaskText.Encode(model.Tokenizer, model.Model.Config, text.First, text.Second, maxLength, names,
                out var isCut, checkAlive: null).Length;
            tokens += length;
            if (!isCut)
                (countedTokens, countedCharacters) = (countedTokens + length, countedCharacters + characters);
        }
        return (rows, (long)Math.Ceiling(tokens));
    }
}
