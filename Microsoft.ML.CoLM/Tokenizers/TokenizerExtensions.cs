using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Encodes documents to token ids and decodes token ids to text, with any tokenizer.</summary>
internal static class TokenizerExtensions
{
    /// <summary>Returns the token ids of a document.</summary>
    /// <param name="tokenizer">Any tokenizer.</param>
    /// <param name="text">
    /// The text. If it spells a special token (<c>&lt;/s&gt;</c>, <c>&lt;|eot_id|&gt;</c>), it is encoded as that token, as in
    /// Hugging Face's tokenizers, unless the tokenizer decides otherwise. In contrast to these, a beginning-of-text token at
    /// its start is not doubled. An unpaired surrogate, which is not valid Unicode, counts as U+FFFD.
    /// </param>
    /// <param name="bosTokenId">
    /// The model's beginning-of-text token; null if it has none. A model folder's own tokenizer determines what is added around
    /// a text, so this token is used only for an empty text to which nothing is added; with any other tokenizer, the document
    /// begins with it exactly once or, without one, as the tokenizer encodes it, and has no end token.
    /// </param>
    /// <param name="checkAlive">
    /// Called first, and with a model folder's tokenizer every few milliseconds; an exception from it ends encoding.
    /// </param>
    public static int[] EncodeDocument(
        this Tokenizer tokenizer, string text, int? bosTokenId, Action? checkAlive = null) =>
        tokenizer.Encode(text, bosTokenId, ends: true, checkAlive);

    /// <summary>
    /// As <see cref="EncodeDocument"/>, for a text that will be continued: a prompt, or what precedes a choice. It has no end
    /// token.
    /// </summary>
    public static int[] EncodePrompt(
        this Tokenizer tokenizer, string text, int? bosTokenId, Action? checkAlive = null) =>
        tokenizer.Encode(text, bosTokenId, ends: false, checkAlive);

    /// <summary>As <see cref="EncodePrompt(Tokenizer, string, int?, Action?)"/>, for a text in parts.</summary>
    /// <remarks>Only a model folder's own tokenizer supports parts; any other encodes them as one text.</remarks>
    public static int[] EncodePrompt(
        this Tokenizer tokenizer, IReadOnlyList<TextPart> parts, int? bosTokenId, Action? checkAlive = null)
    {
        checkAlive?.Invoke();
        return tokenizer is ModelTokenizer model
            ? Around(model, model.EncodeText(parts, checkAlive), bosTokenId, ends: false)
            : tokenizer.EncodePrompt(string.Concat(parts.Select(part => part.Text)), bosTokenId, checkAlive);
    }

    private static int[] Encode(
        this Tokenizer tokenizer, string text, int? bosTokenId, bool ends, Action? checkAlive)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(text);
        checkAlive?.Invoke();
        if (tokenizer is ModelTokenizer model)
            return Around(model, model.EncodeText(text, checkAlive), bosTokenId, ends);
        IReadOnlyList<int> ids = tokenizer is SentencePieceTokenizer sentencePiece
            ? sentencePiece.EncodeToIds(
                text, bosTokenId is null && sentencePiece.AddBeginningOfSentence, addEndOfSentence: false)
            : tokenizer.EncodeToIds(text);
        return bosTokenId is not int beginning ? [.. ids] : [beginning, .. ids.SkipWhile(id => id == beginning)];
    }

    private static int[] Around(ModelTokenizer tokenizer, List<int> text, int? bosTokenId, bool ends)
    {
        TextTemplate template = tokenizer.Template;
        IEnumerable<int> rest = template.Before.Count > 0 ? text.SkipWhile(id => id == template.Before[^1]) : text;
        int[] ids = [.. template.Before, .. rest, .. ends ? template.Behind : []];
        return ids.Length == 0 && bosTokenId is int beginning ? [beginning] : ids;
    }

    /// <summary>The token ids of rows of a column, as documents; an empty text has none.</summary>
    /// <exception cref="ArgumentException">
    /// A token is outside the model's vocabulary: the tokenizer belongs to another model.
    /// </exception>
    public static int[][] EncodeRows(
        this Tokenizer tokenizer, IReadOnlyList<string> texts, CoLMConfig config, string columnName,
        Action? checkAlive = null) =>
        [.. texts.Select(text => text.Length == 0 ? [] : tokenizer.EncodeRow(text, config, columnName, checkAlive))];

    /// <summary>As <see cref="EncodeDocument"/>, for a text in a column and the model that will read it.</summary>
    /// <exception cref="ArgumentException">
    /// A token is outside the model's vocabulary: the tokenizer belongs to another model.
    /// </exception>
    public static int[] EncodeRow(
        this Tokenizer tokenizer, string text, CoLMConfig config, string columnName, Action? checkAlive = null) =>
        config.CheckedTokenIds(tokenizer.EncodeDocument(text, config.BosTokenId, checkAlive), columnName);

    /// <summary>The token that a tokenizer itself puts before a text; null for none.</summary>
    public static int? BeginningOfText(this Tokenizer tokenizer) => tokenizer switch
    {
        ModelTokenizer model => model.Template.Before is [.., var last] ? last : null,
        SentencePieceTokenizer sentencePiece =>
            sentencePiece.AddBeginningOfSentence ? sentencePiece.BeginningOfSentenceId : null,
        _ => tokenizer.EncodeToIds("") is [var first, ..] ? first : null,
    };

    /// <summary>Returns the ids of a text in a column, and rejects those that the model does not have.</summary>
    /// <exception cref="ArgumentException">
    /// A token is outside the model's vocabulary: the tokenizer belongs to another model.
    /// </exception>
    public static int[] CheckedTokenIds(this CoLMConfig config, int[] ids, string columnName)
    {
        foreach (var id in ids)
        {
            if (id < 0 || id >= config.VocabularySize)
            {
                throw new ArgumentException($"The tokenizer has token id {id} for a text of column '{columnName}', " +
                    $"which is outside the model's vocabulary of {config.VocabularySize}.");
            }
        }
        return ids;
    }

    /// <summary>
    /// Returns the text of token ids without special tokens, like Hugging Face's <c>decode(skip_special_tokens=True)</c>.
    /// </summary>
    /// <remarks>
    /// A SentencePiece document begins with a space that this removes, so the text of a document's continuation is what
    /// decoding all of it adds to decoding its beginning.
    /// </remarks>
    public static string DecodeDocument(this Tokenizer tokenizer, IEnumerable<int> ids) => tokenizer switch
    {
        SentencePieceTokenizer sentencePiece => sentencePiece.Decode(ids, considerSpecialTokens: false),
        BpeTokenizer bytePair => bytePair.Decode(ids, considerSpecialTokens: false),
        _ => tokenizer.Decode(ids),
    };
}
