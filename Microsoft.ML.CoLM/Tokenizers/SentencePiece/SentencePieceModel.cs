using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Reads <c>tokenizer.model</c>, a SentencePiece model of byte-pair encoding, as LLaMA and Llama 2 have it.
/// </summary>
/// <remarks>
/// Where <c>tokenizer_config.json</c> names the class <c>LlamaTokenizer</c>, texts are encoded as transformers 5.12 does with it:
/// the order of the pieces says what merges first, the model's own normalization is left out, and a text that begins with a space
/// gets no other one in front. Otherwise they are encoded as SentencePiece does, which is the same in all but rare texts.
/// </remarks>
internal static class SentencePieceModel
{
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
        bool addsSpace = settings.AddsPrefixSpace ?? (settings.IsLlama || model.AddDummyPrefix);
        IReadOnlyList<IPreTokenizer> spaces = settings.IsLlama
            ? PreTokenizerJson.Read(JsonField.Of(settings.DescribeSpaces())).Steps
            : [new SentencePieceSpaces(addsSpace)];
        IWordEncoder words = settings.IsLlama ? CreateOrderedEncoder(model.Pieces, ids) : CreateEncoder(model.Pieces);
        return new(
            new TextEncoder(added.Tokens, null, spaces, words), TextDecoding.SentencePiece(addsSpace), tokens,
            CreateTemplate(model, settings, added),
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
            // Every place that a piece could be cut at is looked at, and texts are searched for some of them.
            if (piece.Text.Length > AddedToken.MostCharacters)
            {
                throw new InvalidDataException($"{file}: piece {id}: expected at most {AddedToken.MostCharacters} characters, " +
                    $"found {piece.Text.Length}.");
            }
            if (piece.Type is PieceType.Control or PieceType.UserDefined)
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

    /// <summary>transformers' way: of all pairs that make a piece, those of the first piece merge first.</summary>
    private static CharacterEncoder CreateOrderedEncoder(IReadOnlyList<Piece> pieces, Dictionary<string, int> ids)
    {
        var idOfByte = new int[byte.MaxValue + 1];
        var merges = new BytePairMerges();
        HashSet<int> merged = [];
        Dictionary<string, int>.AlternateLookup<ReadOnlySpan<char>> lookup = ids.GetAlternateLookup<ReadOnlySpan<char>>();
        var rank = 0;
        foreach ((int id, Piece piece) in pieces.Index())
        {
            if (piece.Type == PieceType.Byte)
                idOfByte[piece.ByteValue] = id;
            for (var middle = 1; middle < piece.Text.Length; middle++)
            {
                if (lookup.TryGetValue(piece.Text.AsSpan(0, middle), out int left) &&
                    lookup.TryGetValue(piece.Text.AsSpan(middle), out int right))
                {
                    merges.Add(left, right, rank++, id);
                    merged.Add(left);
                    merged.Add(right);
                }
            }
        }
        return new(new(ids, idOfByte), merges, mergesBytes: idOfByte.Any(merged.Contains));
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
        bool begins = settings.AddsBeginning ?? ((!settings.IsLlama || settings.IsCodeLlama) && model.BeginningId >= 0);
        return new(begins ? Ids("bos_token") : [], settings.AddsEnd ? Ids("eos_token") : []);

        int[] Ids(string name)
        {
            if (settings.IsLlama)
                settings.RequireName(name);
            return settings.NameToken(name, null) is { } content && added.TryGetId(content, out int id) ? [id] : [];
        }
    }
}
