using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>How documents become token ids and token ids become text, whichever tokenizer it is.</summary>
internal static class TokenizerExtensions
{
    /// <summary>
    /// The token ids of a document: the beginning-of-text token exactly once, then the text, and no end token.
    /// </summary>
    /// <param name="tokenizer">Any tokenizer; what it puts in front by itself makes no difference.</param>
    /// <param name="text">
    /// The text. Where it spells a special token (<c>&lt;/s&gt;</c>, <c>&lt;|eot_id|&gt;</c>), it means that token, as
    /// in Hugging Face's tokenizers; a beginning-of-text token that it begins with is not doubled. Half a surrogate
    /// pair, which is no Unicode text, counts as U+FFFD.
    /// </param>
    /// <param name="bosTokenId">
    /// The model's beginning-of-text token. Null when it has none: then the ids begin as the tokenizer has it.
    /// </param>
    /// <param name="checkAlive">
    /// Called first, and with a model folder's tokenizer every few milliseconds; what it throws ends encoding.
    /// </param>
    public static int[] EncodeDocument(
        this Tokenizer tokenizer, string text, int? bosTokenId, Action? checkAlive = null)
    {
        ArgumentNullException.ThrowIfNull(tokenizer);
        ArgumentNullException.ThrowIfNull(text);
        checkAlive?.Invoke();
        bool tokenizerBegins = bosTokenId is null;
        IReadOnlyList<int> ids = tokenizer switch
        {
            ModelTokenizer model => model.Encode(text, tokenizerBegins, checkAlive),
            SentencePieceTokenizer sentencePiece => sentencePiece.EncodeToIds(
                text, tokenizerBegins && sentencePiece.AddBeginningOfSentence, addEndOfSentence: false),
            _ => tokenizer.EncodeToIds(text),
        };
        if (bosTokenId is not int beginning)
            return [.. ids];
        var skipped = 0;
        while (skipped < ids.Count && ids[skipped] == beginning)
            skipped++;
        var document = new int[1 + ids.Count - skipped];
        document[0] = beginning;
        for (var i = 1; i < document.Length; i++)
            document[i] = ids[skipped + i - 1];
        return document;
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
        ModelTokenizer model => model.BeginningOfTextId,
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
