using System.Globalization;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Metrics of rows that a language model scored.</summary>
internal static class LanguageEvaluation
{
    /// <param name="environment">Told to stop by a cancellation.</param>
    /// <param name="scored">The rows.</param>
    /// <param name="textColumnName">Their text.</param>
    /// <exception cref="ArgumentException">A column is missing or of another type, or there is nothing to divide by.</exception>
    public static LanguageModelMetrics Of(IHostEnvironment environment, IDataView scored, string textColumnName)
    {
        var host = environment.Register(nameof(LanguageEvaluation));
        var schema = scored.Schema;
        var text = new TextColumns(textColumnName).In(schema, DataRole.ScoredData)[0];
        var (log, count) = (LanguageColumns.LogProbability(schema), LanguageColumns.TokenCount(schema));

        using var cursor = scored.GetRowCursor([text, log, count]);
        var readText = cursor.GetGetter<ReadOnlyMemory<char>>(text);
        var readLog = cursor.GetGetter<float>(log);
        var readCount = cursor.GetGetter<int>(count);
        var (sum, counts) = (0.0, default(TextCounts));
        while (cursor.MoveNext())
        {
            host.CheckAlive();
            var (words, logProbability, tokens) = (default(ReadOnlyMemory<char>), 0f, 0);
            readText(ref words);
            readLog(ref logProbability);
            readCount(ref tokens);
            if (!float.IsFinite(logProbability))
                throw Wrong(log, cursor.Position, "a finite number", logProbability);
            if (tokens < 0)
                throw Wrong(count, cursor.Position, "at least 0", tokens);
            sum += logProbability;
            counts = counts.Plus(words.Span, tokens);
        }
        CheckDivisible(counts, textColumnName, DataRole.ScoredData);
        return LanguageModelMetrics.Of(LanguageColumns.ChainCount(log), sum, counts);
    }

    /// <summary>Refuses rows of which there is no mean.</summary>
    /// <exception cref="ArgumentException">No token was scored, or the texts are empty.</exception>
    public static void CheckDivisible(TextCounts counts, string textColumnName, DataRole role)
    {
        if (counts.Tokens == 0)
            throw new ArgumentException($"{role.Name} has no row with a token to score in column '{textColumnName}'.");
        if (counts.Bytes == 0)
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"{role.Name} has {counts.Tokens} tokens scored and no text in column '{textColumnName}': it is another column's."));
        }
    }

    private static ArgumentException Wrong(DataViewSchema.Column column, long row, string expected, double found) =>
        new(string.Create(CultureInfo.InvariantCulture,
            $"Column '{column.Name}' of the scored data must be {expected}, found {found} in row {row}, counted from 0."));
}
