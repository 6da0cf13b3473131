using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>How documents become token ids and token ids become text, whichever tokenizer it is.</summary>
internal static class TokenizerExtensions
{
    /// <summary>The token ids of a document.</summary>
    /// <param name="tokenizer">Any tokenizer.</param>
    /// <param name="text">
    /// The text. Where it spells a special token (<c>&lt;/s&gt;</c>, <c>&lt;|eot_id|&gt;</c>), it means that token, as
    /// in Hugging Face's tokenizers, unless the tokenizer says otherwise. Other than there, a beginning-of-text token that it begins
    /// with is not doubled. Half a surrogate pair, which is no Unicode text, counts as U+FFFD.
    /// </param>
    /// <param name="bosTokenId">
    /// The model's beginning-of-text token; null when it has none. A model folder's own tokenizer says by itself what stands around
    /// a text, so that this token is only what an empty text consists of where nothing does; with any other tokenizer, the document
    /// begins with it exactly once, or, without one, as the tokenizer has it, and has no end token.
    /// </param>
    /// <param name="checkAlive">
    /// Called first, and with a model folder's tokenizer every few milliseconds; what it throws ends encoding.
    /// </param>
    public static int[] EncodeDocument(
        this Tokenizer tokenizer, string text, int? bosTokenId, Action? checkAlive = null) =>
        tokenizer.Encode(text, bosTokenId, ends: true, checkAlive);

    /// <summary>
    /// As <see cref="EncodeDocument"/>, for a text that goes on: a prompt, or what stands before a choice. It has no end token.
    /// </summary>
    public static int[] EncodePrompt(
        this Tokenizer tokenizer, string text, int? bosTokenId, Action? checkAlive = null) =>
        tokenizer.Encode(text, bosTokenId, ends: false, checkAlive);

    /// <summary>As <see cref="EncodePrompt(Tokenizer, string, int?, Action?)"/>, for a text in parts.</summary>
    /// <remarks>Only a model folder's own tokenizer knows parts; any other takes them for one text.</remarks>
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
    /// A token is outside the model's vocabulary: the tokenizer is another model's.
    /// </exception>
    public static int[][] EncodeRows(
        this Tokenizer tokenizer, IReadOnlyList<string> texts, CoLMConfig config, string columnName,
        Action? checkAlive = null) =>
        [.. texts.Select(text => text.Length == 0 ? [] : tokenizer.EncodeRow(text, config, columnName, checkAlive))];

    /// <summary>As <see cref="EncodeDocument"/>, for a text of a column and the model that is to read it.</summary>
    /// <exception cref="ArgumentException">
    /// A token is outside the model's vocabulary: the tokenizer is another model's.
    /// </exception>
    public static int[] EncodeRow(
        this Tokenizer tokenizer, string text, CoLMConfig config, string columnName, Action? checkAlive = null) =>
        config.CheckedTokenIds(tokenizer.EncodeDocument(text, config.BosTokenId, checkAlive), columnName);

    /// <summary>The token that a tokenizer by itself puts in front of a text; null for none.</summary>
    public static int? BeginningOfText(this Tokenizer tokenizer) => tokenizer switch
    {
        ModelTokenizer model => model.Template.Before is [.., var last] ? last : null,
        SentencePieceTokenizer sentencePiece =>
            sentencePiece.AddBeginningOfSentence ? sentencePiece.BeginningOfSentenceId : null,
        _ => tokenizer.EncodeToIds("") is [var first, ..] ? first : null,
    };

    /// <summary>The ids of a text of a column, refused where the model does not have them.</summary>
    /// <exception cref="ArgumentException">
    /// A token is outside the model's vocabulary: the tokenizer is another model's.
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
    /// The text of token ids without special tokens, as Hugging Face's <c>decode(skip_special_tokens=True)</c> has it.
    /// </summary>
    /// <remarks>
    /// A SentencePiece document begins with a space that this takes away, so the text of a document's continuation is
    /// what decoding all of it adds to decoding its beginning.
    /// </remarks>
    public static string DecodeDocument(this Tokenizer tokenizer, IEnumerable<int> ids) => tokenizer switch
    {
        SentencePieceTokenizer sentencePiece => sentencePiece.Decode(ids, considerSpecialTokens: false),
        BpeTokenizer bytePair => bytePair.Decode(ids, considerSpecialTokens: false),
        _ => tokenizer.Decode(ids),
    };
}
