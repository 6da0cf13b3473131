namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Puts the added tokens of a folder's files together as <c>from_pretrained</c> of transformers 5.12 does: first those that are
/// listed, by their listed ids, then special tokens that have a name, then those that have none. Tokens that are new get the next
/// free ids, whatever ids are listed for them.
/// </summary>
internal static class AddedTokenUnion
{
    /// <summary>Adds the tokens of the settings.</summary>
    /// <param name="vocabulary">The model's vocabulary with the tokens that it has already.</param>
    /// <param name="settings">What the other files say.</param>
    /// <param name="listed">Tokens that are listed beside the vocabulary, by their listed ids.</param>
    /// <param name="extra">Special tokens without names, where the settings have none.</param>
    public static void Add(
        AddedVocabulary vocabulary, TokenizerSettings settings, IReadOnlyDictionary<int, AddedToken> listed,
        IReadOnlyList<AddedToken> extra)
    {
        List<AddedToken> tokens = [.. listed.OrderBy(token => token.Key).Select(token => token.Value)
            .Where(token => !vocabulary.ContainsAlike(token))];
        HashSet<string> contents = [.. tokens.Select(token => token.Content)];
        foreach (AddedToken token in settings.NamedTokens.Concat(settings.ExtraSpecialTokens ?? extra))
        {
            if (!vocabulary.Contains(token.Content) && contents.Add(token.Content))
                tokens.Add(token);
        }
        foreach (AddedToken token in tokens)
            vocabulary.Add(token);
        foreach (AddedToken token in settings.NamedTokens)
            vocabulary.MarkSpecial(token.Content);
    }
}
