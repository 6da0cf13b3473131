using System.Globalization;
using System.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Reads <c>tokenizer.model</c>, a SentencePiece model of byte-pair encoding, as LLaMA and Llama 2 have it.
/// </summary>
internal static class SentencePieceModel
{
    /// <summary>Makes the tokenizer that the file describes.</summary>
    /// <param name="file">The file's name for messages.</param>
    /// <param name="content">The file's bytes.</param>
    /// <param name="configFile">The name of <c>tokenizer_config.json</c> for messages.</param>
    /// <param name="config">
    /// Its bytes, if there is one: tokens that were added to the model's own, and whether a text gets a beginning.
    /// </param>
    /// <exception cref="InvalidDataException">A file is damaged, or asks for what is not supported.</exception>
    public static ModelTokenizer Read(string file, byte[] content, string configFile, byte[]? config)
    {
        SentencePieceFile model = SentencePieceFile.Parse(file, content);
        Dictionary<int, Token> tokens = [];
        Dictionary<int, AddedToken> addedTokens = [];
        foreach (Piece piece in model.Pieces)
            AddPiece(piece, tokens, addedTokens);
        foreach (AddedToken token in addedTokens.Values)
        {
            if (token.Content.Length > AddedToken.MostCharacters)
            {
                throw new InvalidDataException($"{file}: piece {token.Id}: expected at most {AddedToken.MostCharacters} " +
                    $"characters of a piece that is found as it stands, found {token.Content.Length}.");
            }
        }

        bool addsBeginning = config is null ||
            JsonField.Parse(configFile, config, root => ReadConfig(root, tokens, addedTokens));
        return new(
            new SentencePieceEncoder(model.Pieces, model.AddDummyPrefix),
            tokens,
            addedTokens.Values,
            addsBeginning && model.BeginningId >= 0 ? model.BeginningId : null);
    }

    private static void AddPiece(Piece piece, Dictionary<int, Token> tokens, Dictionary<int, AddedToken> addedTokens)
    {
        int id = tokens.Count;
        bool isSpecial = piece.Type is PieceType.Control or PieceType.Unknown;
        byte[] bytes = piece.Type == PieceType.Byte
            ? [piece.ByteValue]
            : BytesOf(piece.Text);
        tokens.Add(id, new(piece.Text, bytes, isSpecial));
        // SentencePiece recognises those in a text that its user defined, Hugging Face the others, too.
        if (isSpecial || piece.Type == PieceType.UserDefined)
            addedTokens.Add(id, new(id, piece.Text, isSpecial));
    }

    /// <summary>Adds the tokens that were added to the model's own.</summary>
    /// <returns>Whether a text gets a beginning-of-text token.</returns>
    private static bool ReadConfig(JsonField config, Dictionary<int, Token> tokens, Dictionary<int, AddedToken> addedTokens)
    {
        JsonField added = config["added_tokens_decoder"];
        if (!added.IsMissing)
        {
            foreach ((string key, JsonField description) in added.Members)
                AddToken(ReadId(key, description), description, tokens, addedTokens);
        }
        return config["add_bos_token"].Flag(defaultValue: true);
    }

    private static void AddToken(
        int id, JsonField description, Dictionary<int, Token> tokens, Dictionary<int, AddedToken> addedTokens)
    {
        AddedToken token = AddedToken.Read(description, id);
        if (tokens.TryGetValue(id, out Token? known) && known.Name != token.Content)
            throw description["content"].Refuse($"\"{known.Name}\", which the model gives id {id}");
        addedTokens[id] = token;
        tokens[id] = token.ToToken() with { Bytes = BytesOf(token.Content) };
    }

    private static byte[] BytesOf(string text) => Encoding.UTF8.GetBytes(text.Replace(SentencePieceEncoder.Space, ' '));

    private static int ReadId(string key, JsonField description) =>
        int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
            ? id
            : throw description.Refuse("a token id as the member's name");
}
