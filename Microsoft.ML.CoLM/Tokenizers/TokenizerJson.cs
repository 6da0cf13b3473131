namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Reads <c>tokenizer.json</c>, the file of Hugging Face's tokenizers, where it holds a byte-level byte-pair encoding
/// in the shape of Llama 3's. Whatever it holds that would change token ids and is not supported is refused by name.
/// </summary>
internal static class TokenizerJson
{
    private const int ByteCount = 256;

    /// <summary>Makes the tokenizer that the file describes.</summary>
    /// <param name="file">The file's name for messages.</param>
    /// <param name="content">The file's bytes.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or asks for what is not supported.</exception>
    public static ModelTokenizer Read(string file, byte[] content) => JsonField.Parse(file, content, Read);

    private static ModelTokenizer Read(JsonField root)
    {
        JsonField model = root["model"];
        RefuseOtherModels(model);
        RefuseNormalizers(root["normalizer"]);
        RefuseOtherDecoders(root["decoder"]);

        Dictionary<string, int> vocabulary = ReadVocabulary(model["vocab"], out Dictionary<int, Token> tokens);
        IReadOnlyList<AddedToken> addedTokens = ReadAddedTokens(root["added_tokens"], vocabulary, tokens);
        var encoder = new ByteLevelEncoder(
            ReadWords(root["pre_tokenizer"]),
            ReadBytes(model["vocab"], vocabulary),
            ReadMerges(model["merges"], vocabulary),
            model["ignore_merges"].Flag(defaultValue: false) ? vocabulary : null);
        return new(encoder, tokens, addedTokens, ReadBeginningOfText(root["post_processor"], tokens));
    }

    private static void RefuseOtherModels(JsonField model)
    {
        // Files of 2020 do not name the type; what they hold is checked all the same.
        if (model.IsMissing || !model["type"].IsMissing)
            model["type"].RequireText("BPE");
        model["byte_fallback"].RequireFlag(false, defaultValue: false);
        if (!model["dropout"].IsMissing)
            throw model["dropout"].Refuse("null");
        foreach (string affix in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (!model[affix].IsMissing)
                model[affix].RequireText("");
        }
    }

    private static void RefuseNormalizers(JsonField normalizer)
    {
        if (!normalizer.IsMissing && (!IsOfType(normalizer, "Sequence") || normalizer["normalizers"].Items.Count > 0))
            throw normalizer.Refuse("null");
    }

    private static void RefuseOtherDecoders(JsonField decoder) => decoder["type"].RequireText("ByteLevel");

    private static Dictionary<string, int> ReadVocabulary(JsonField vocab, out Dictionary<int, Token> tokens)
    {
        Dictionary<string, int> vocabulary = [];
        tokens = [];
        foreach ((string name, JsonField id) in vocab.Members)
        {
            if (!vocabulary.TryAdd(name, id.TokenId) ||
                !tokens.TryAdd(id.TokenId, new(name, ByteAlphabet.BytesOf(name), IsSpecial: false)))
            {
                throw id.Refuse("each token and each id once");
            }
        }
        return vocabulary;
    }

    private static int[] ReadBytes(JsonField vocab, Dictionary<string, int> vocabulary)
    {
        var idOfByte = new int[ByteCount];
        for (var value = 0; value < ByteCount; value++)
        {
            string symbol = ByteAlphabet.Symbol((byte)value).ToString();
            if (!vocabulary.TryGetValue(symbol, out idOfByte[value]))
                throw vocab[symbol].Refuse($"the token id of byte 0x{(byte)value:X2} (every byte needs a token)");
        }
        return idOfByte;
    }

    private static BytePairMerges ReadMerges(JsonField mergesField, Dictionary<string, int> vocabulary)
    {
        IReadOnlyList<JsonField> items = mergesField.Items;
        var merges = new BytePairMerges();
        for (var rank = 0; rank < items.Count; rank++)
        {
            JsonField item = items[rank];
            // "a b" until 2024, ["a", "b"] since.
            string[] pair = item.IsText ? item.Text.Split(' ') : [.. item.Items.Select(token => token.Text)];
            if (pair is not [string left, string right] ||
                !vocabulary.TryGetValue(left, out int leftId) ||
                !vocabulary.TryGetValue(right, out int rightId) ||
                !vocabulary.TryGetValue(left + right, out int merged))
            {
                throw item.Refuse("two tokens of the vocabulary whose concatenation is in it, too");
            }
            merges.Add(leftId, rightId, rank, merged);
        }
        return merges;
    }

    private static List<AddedToken> ReadAddedTokens(
        JsonField field, Dictionary<string, int> vocabulary, Dictionary<int, Token> tokens)
    {
        List<AddedToken> addedTokens = [];
        foreach (JsonField item in field.Items)
        {
            AddedToken added = AddedToken.Read(item, item["id"].TokenId);
            if (vocabulary.TryGetValue(added.Content, out int id) ? id != added.Id : tokens.ContainsKey(added.Id))
                throw item["id"].Refuse("the id that the vocabulary gives this token, or one that no other token has");
            tokens[added.Id] = added.ToToken();
            addedTokens.Add(added);
        }
        return addedTokens;
    }

    private static PreTokenization ReadWords(JsonField preTokenizer)
    {
        PreTokenization words = PreTokenizerJson.Read(preTokenizer);
        return words.SpellsBytes ? words : throw preTokenizer["type"].Refuse("a last step of type \"ByteLevel\"");
    }

    private static int? ReadBeginningOfText(JsonField postProcessor, Dictionary<int, Token> tokens)
    {
        IReadOnlyList<JsonField> steps =
            IsOfType(postProcessor, "Sequence") ? postProcessor["processors"].Items :
            postProcessor.IsMissing ? [] : [postProcessor];
        int? beginning = null;
        foreach (JsonField step in steps)
        {
            // A "ByteLevel" step corrects the places of tokens in the text and changes no id.
            if (IsOfType(step, "ByteLevel"))
                continue;
            if (!IsOfType(step, "TemplateProcessing") || beginning is not null)
                throw step["type"].Refuse("\"ByteLevel\", or \"TemplateProcessing\" once");
            beginning = ReadTemplate(step, tokens);
        }
        return beginning;
    }

    /// <summary>Reads the template that puts the beginning-of-text token, or nothing, in front of a text.</summary>
    private static int? ReadTemplate(JsonField template, Dictionary<int, Token> tokens)
    {
        JsonField single = template["single"];
        IReadOnlyList<JsonField> parts = single.Items;
        if (parts.Count is not (1 or 2) || parts[^1]["Sequence"].IsMissing ||
            (parts.Count == 2 && parts[0]["SpecialToken"].IsMissing))
        {
            throw single.Refuse("one special token before the text, or none, and nothing after it");
        }
        if (parts.Count == 1)
            return null;
        JsonField ids = template["special_tokens"][parts[0]["SpecialToken"]["id"].Text]["ids"];
        return ids.Items is [JsonField id] && tokens.ContainsKey(id.TokenId)
            ? id.TokenId
            : throw ids.Refuse("the id of one token");
    }

    private static bool IsOfType(JsonField field, string type) =>
        !field.IsMissing && field["type"].IsText && field["type"].Text == type;
}
