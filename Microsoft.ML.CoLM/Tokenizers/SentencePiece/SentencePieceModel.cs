namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Reads <c>tokenizer.model</c>, a SentencePiece model of byte-pair encoding, as LLaMA and Llama 2 have it, as transformers'
/// <c>LlamaTokenizer</c> does: texts are encoded as SentencePiece has it, but the model's own normalization is left out, and
/// added tokens, the spaces in front of parts and the tokens around a text are as <c>tokenizer_config.json</c> says.
/// </summary>
internal static class SentencePieceModel
{
    private const string LlamaClass = "LlamaTokenizer";

    /// <summary>Makes the tokenizer that the file describes.</summary>
    /// <param name="file">The file's name for messages.</param>
    /// <param name="content">The file's bytes.</param>
    /// <param name="settings">What the files beside it say.</param>
    /// <param name="parsesSpecialTokens">Whether text that spells a special token means that token.</param>
    /// <exception cref="InvalidDataException">A file is damaged, or asks for what is not supported.</exception>
    public static ModelTokenizer Read(string file, byte[] content, TokenizerSettings settings, bool parsesSpecialTokens)
    {
        SentencePieceFile model = SentencePieceFile.Parse(file, content);
        Dictionary<string, int> ids = model.Pieces.Index().ToDictionary(piece => piece.Item.Text, piece => piece.Index);
        SetDefaults(settings, model);
        AddedVocabulary added = new(ids);
        AddedTokenUnion.Add(added, settings, settings.AddedTokens, FindAddedPieces(file, model));

        Dictionary<int, Token> tokens = ids.ToDictionary(token => token.Value, token => new Token(token.Key, false));
        foreach (AddedToken token in added.Tokens)
            tokens[token.Id] = new(token.Content, token.IsSpecial);
        bool addsSpace = settings.AddsPrefixSpace ?? model.AddDummyPrefix;
        return new(
            new TextEncoder(
                added.Tokens, null, [new SentencePieceSpaces(addsSpace, addsSpace && settings.IsLegacy)], CreateEncoder(model.Pieces)),
            TextDecoding.SentencePiece(addsSpace), tokens, CreateTemplate(model, settings, added),
            parsesSpecialTokens && !settings.SplitsSpecialTokens);
    }

    private static void SetDefaults(TokenizerSettings settings, SentencePieceFile model)
    {
        if (model.BeginningId >= 0)
            settings.SetDefault("bos_token", model.Pieces[model.BeginningId].Text);
        foreach (Piece piece in model.Pieces)
        {
            if (piece.Type == PieceType.Unknown)
                settings.SetDefault("unk_token", piece.Text);
            else if (piece is { Type: PieceType.Control, Text: "</s>" })
                settings.SetDefault("eos_token", piece.Text);
        }
    }

    // SentencePiece recognises those in a text that its user defined, Hugging Face the others, too.
    private static List<AddedToken> FindAddedPieces(string file, SentencePieceFile model)
    {
        List<AddedToken> pieces = [];
        foreach ((int id, Piece piece) in model.Pieces.Index())
        {
            if (piece.Type is not (PieceType.Control or PieceType.UserDefined))
                continue;
            if (piece.Text.Length > AddedToken.MostCharacters)
            {
                throw new InvalidDataException($"{file}: piece {id}: expected at most {AddedToken.MostCharacters} " +
                    $"characters of a piece that is found as it stands, found {piece.Text.Length}.");
            }
            pieces.Add(new(id, piece.Text, piece.Type == PieceType.Control));
        }
        return pieces;
    }

    private static CharacterEncoder CreateEncoder(IReadOnlyList<Piece> pieces)
    {
        Dictionary<string, int> ids = [];
        var idOfByte = new int[byte.MaxValue + 1];
        foreach ((int id, Piece piece) in pieces.Index())
        {
            if (piece.Type == PieceType.Byte)
                idOfByte[piece.ByteValue] = id;
            else if (piece.Type is PieceType.Normal or PieceType.UserDefined)
                ids.Add(piece.Text, id);
        }
        return new(new(ids, idOfByte) { MergesWithoutToken = true }, ReadMerges(pieces, ids));
    }

    private static BytePairMerges ReadMerges(IReadOnlyList<Piece> pieces, Dictionary<string, int> ids)
    {
        var merges = new BytePairMerges();
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        var rank = 0;
        foreach (IGrouping<float, string> equals in pieces
            .Where(piece => piece.Type is PieceType.Normal or PieceType.UserDefined)
            .GroupBy(piece => piece.Score, piece => piece.Text)
            .OrderByDescending(group => group.Key))
        {
            foreach (string text in equals)
            {
                for (var middle = 1; middle < text.Length; middle++)
                {
                    if (TryFind(text.AsSpan(0, middle), lookup, out int left) &&
                        TryFind(text.AsSpan(middle), lookup, out int right))
                    {
                        merges.Add(left, right, rank, ids[text]);
                    }
                }
            }
            rank++;
        }
        return merges;

        static bool TryFind(
            ReadOnlySpan<char> part, Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> ids, out int token)
        {
            if (ids.TryGetValue(part, out token))
                return true;
            bool isCharacter = CharacterEncoder.TryReadCharacter(part, out int character);
            token = CharacterEncoder.WithoutToken(character);
            return isCharacter;
        }
    }

    // Without a word on it, transformers 5.12's LlamaTokenizer adds none; where nothing says what reads the model, it begins texts
    // as it was trained to.
    private static TextTemplate CreateTemplate(SentencePieceFile model, TokenizerSettings settings, AddedVocabulary added)
    {
        bool begins = settings.AddsBeginning ?? (settings.ClassName != LlamaClass && model.BeginningId >= 0);
        return new(begins ? Ids("bos_token") : [], settings.AddsEnd ? Ids("eos_token") : []);

        int[] Ids(string name) => settings.NameToken(name, null) is { } content && added.TryGetId(content, out int id) ? [id] : [];
    }
}
