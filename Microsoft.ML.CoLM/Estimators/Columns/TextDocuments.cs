using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The rows of a text column as documents.</summary>
internal static class TextDocuments
{
    /// <summary>Token ids of every row that has text, as the rows are read.</summary>
    /// <param name="data">The rows.</param>
    /// <param name="what">What they are, for messages.</param>
    /// <param name="column">Their text column.</param>
    /// <param name="model">The model that is to read them.</param>
    /// <param name="tokenizer">Its tokenizer.</param>
    /// <param name="channel">Asked whether training was cancelled.</param>
    /// <exception cref="ArgumentException">No row has text.</exception>
    /// <exception cref="OperationCanceledException">Training was cancelled meanwhile.</exception>
    public static IEnumerable<IReadOnlyList<int>> Read(
        IDataView data, string what, TextColumns column, CoLMModel model, Tokenizer tokenizer, TrainingChannel channel)
    {
        var columns = column.In(data.Schema);
        using var cursor = data.GetRowCursor(columns);
        var reader = new RowTextReader(cursor, columns);
        var hasText = false;
        while (cursor.MoveNext())
        {
            channel.ThrowIfCancelled();
            var text = reader.Read().First;
            if (text.Length == 0)
                continue;
            hasText = true;
            yield return tokenizer.EncodeRow(text, model.Config, column.First, channel.ThrowIfCancelled);
        }
        if (!hasText)
            throw new ArgumentException($"Column '{column.First}' of {what} has no row with text.");
    }
}
