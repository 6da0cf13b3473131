namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>What a <see cref="CharacterEncoder"/> knows.</summary>
/// <param name="Tokens">The tokens that are texts, with <c>▁</c> for a space, and their ids.</param>
/// <param name="IdOfByte">The token of each of the 256 bytes, negative for none; null where bytes have none.</param>
internal sealed record CharacterVocabulary(Dictionary<string, int> Tokens, int[]? IdOfByte)
{
    /// <summary>Stands for characters that have neither a token nor tokens of their bytes; null leaves them out.</summary>
    public int? UnknownId { get; init; }

    /// <summary>Whether neighbouring characters of that kind are one unknown token.</summary>
    public bool FusesUnknown { get; init; }

    /// <summary>Whether words of the vocabulary are taken whole without a look at the merges.</summary>
    public bool TakesWholeWords { get; init; }

    /// <summary>
    /// Whether characters without a token merge as they are, as in SentencePiece, and become bytes where they are left.
    /// </summary>
    public bool MergesWithoutToken { get; init; }
}
