using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Training;

/// <summary>A text, or a pair of texts, as one sequence for a task.</summary>
internal static class TaskText
{
    /// <summary>Token ids of at most a length.</summary>
    /// <param name="tokenizer">The model's tokenizer.</param>
    /// <param name="config">The model.</param>
    /// <param name="first">The first, or only text.</param>
    /// <param name="second">The second; null for none.</param>
    /// <param name="maxLength">
    /// A longer text keeps its beginning; of a pair, the longer text loses its end first, token by token.
    /// </param>
    /// <param name="columns">The texts' columns, for messages.</param>
    /// <param name="isCut">Whether tokens were left out.</param>
    /// <param name="checkAlive">Called often; what it throws ends encoding.</param>
    /// <returns>
    /// The text as a document; the second text of a pair as a document of its own, as Hugging Face's LLaMA tokenizer has it: each
    /// behind its beginning-of-text token, or, where the second one has none, behind an end-of-text token. An empty text is the
    /// token before it alone; a model without such tokens reads nothing of it. What the tokenizer puts behind a text stays where
    /// the text is cut.
    /// </returns>
    /// <exception cref="ArgumentException">A token is outside the model's vocabulary.</exception>
    public static int[] Encode(
        Tokenizer tokenizer, CoLMConfig config, string first, string? second, int maxLength, string columns,
        out bool isCut, Action? checkAlive = null)
    {
        var model = tokenizer as ModelTokenizer;
        var end = (model?.Template.Behind ?? []).ToArray();
        var ends = second is null ? end.Length : 2 * end.Length;
        // No text is left where not even the ends fit.
        if (ends > maxLength)
            (end, ends) = ([], 0);
        var ids = Tokens(first);
        var more = second is null ? [] : Tokens(second);
        var begins = model is null ? config.BosTokenId is not null : model.Template.Before.Count > 0;
        if (second is not null && (config.BosTokenId is null || !begins) && config.EosTokenIds.Count > 0)
            more = [config.EosTokenIds[0], .. more];
        var room = maxLength - ends;
        isCut = ids.Length + more.Length > room;
        var (kept, keptMore) = LongestFirst(ids.Length, more.Length, room);
        return second is null
            ? [.. ids.AsSpan(0, kept), .. end]
            : [.. ids.AsSpan(0, kept), .. end, .. more.AsSpan(0, keptMore), .. end];

        int[] Tokens(string text) => text.Length == 0 && (model is null || config.BosTokenId is null)
            ? config.BosTokenId is { } beginning ? [beginning] : []
            : config.CheckedTokenIds(tokenizer.EncodePrompt(text, config.BosTokenId, checkAlive), columns);
    }

    private static (int First, int Second) LongestFirst(int first, int second, int limit)
    {
        var excess = first + second - limit;
        if (excess <= 0)
            return (first, second);
        var cut = Math.Min(excess, Math.Abs(first - second));
        (first, second) = first > second ? (first - cut, second) : (first, second - cut);
        excess -= cut;
        return (first - excess / 2, second - (excess - excess / 2));
    }
}
