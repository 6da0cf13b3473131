using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// Reads <c>tokenizer.json</c>, the file of Hugging Face's tokenizers, where it holds a byte-pair encoding of bytes, as Llama 3's
/// does, or of characters, as Llama 2's. Whatever it holds that would change token ids and is not supported is refused by name.
/// </summary>
/// <remarks>
/// <para>
/// transformers 5.12 reads only the vocabulary, the merges and the post-processor of the file where <c>tokenizer_config.json</c>
/// names the class <c>LlamaTokenizer</c> or <c>GPT2Tokenizer</c>; the rest is that class's own, and so it is here. A vocabulary that
/// spells bytes stays what the file says under <c>LlamaTokenizer</c>, too: deepseek's folders have that, and transformers 5.12
/// loses their spaces.
/// </para>
/// <para>
/// Beside a <c>tokenizer.json</c>, transformers ignores <c>add_bos_token</c> and <c>add_eos_token</c>: the post-processor counts.
/// </para>
/// </remarks>
internal static class TokenizerJson
{
    private const string Gpt2Class = "GPT2Tokenizer";

    /// <summary>Makes the tokenizer that the file describes.</summary>
    /// <param name="file">The file's name for messages.</param>
    /// <param name="content">The file's bytes.</param>
    /// <param name="settings">What the files beside it say.</param>
    /// <param name="parsesSpecialTokens">Whether text that spells a special token means that token.</param>
    /// <exception cref="InvalidDataException">The file is damaged, or asks for what is not supported.</exception>
    public static ModelTokenizer Read(string file, byte[] content, TokenizerSettings settings, bool parsesSpecialTokens) =>
        JsonField.Parse(file, content, root => Read(root, settings, parsesSpecialTokens));

    private static ModelTokenizer Read(JsonField root, TokenizerSettings settings, bool parsesSpecialTokens)
    {
        var model = BytePairJson.Read(root["model"]);
        PreTokenization words = PreTokenizerJson.Read(root["pre_tokenizer"]);
        ITextNormalizer? normalizer = NormalizerJson.Read(root["normalizer"]);
        TextDecoding decoding = DecoderJson.Read(root["decoder"]);
        bool isLlama = settings.IsLlama && (model.FallsBackToBytes || model.HasByteTokens) && !words.SpellsBytes;
        bool isGpt2 = settings.ClassName == Gpt2Class && words.SpellsBytes;
        if (isLlama || isGpt2)
        {
            normalizer = null;
            words = PreTokenizerJson.Read(JsonField.Of(isLlama ? settings.DescribeSpaces() : DescribeBytes(settings)));
            decoding = isLlama ? TextDecoding.SentencePiece(settings.AddsPrefixSpace ?? true) : TextDecoding.ByteLevel;
        }

        IReadOnlyCollection<AddedToken> addedTokens = ReadAddedTokens(root["added_tokens"], model, settings, isLlama || isGpt2);
        Dictionary<int, Token> tokens = model.Vocabulary.ToDictionary(token => token.Value, token => new Token(token.Key, false));
        // Those that are found in normalized text are decoded as it has them, and are then other tokens than the special ones.
        HashSet<string> special = [.. addedTokens.Where(token => token.IsSpecial).Select(token => token.Content)];
        foreach (AddedToken token in addedTokens)
        {
            string name = token.IsNormalized && normalizer is not null ? normalizer.Normalize(token.Content) : token.Content;
            tokens[token.Id] = new(name, special.Contains(name));
        }
        IWordEncoder encoder = words.SpellsBytes
            ? model.CreateByteLevel()
            : model.CreateCharacterLevel(isLlama, spellsBytes: !isLlama && (
                HasByteLevel(root["normalizer"], "normalizers") || HasByteLevel(root["pre_tokenizer"], "pretokenizers")));
        return new(
            new TextEncoder(addedTokens, normalizer, words.Steps, encoder), decoding, tokens,
            PostProcessorJson.Read(root["post_processor"], tokens.ContainsKey),
            parsesSpecialTokens && !settings.SplitsSpecialTokens);
    }

    // What GPT2Tokenizer cuts words with, whatever the file says.
    private static string DescribeBytes(TokenizerSettings settings) =>
        $$"""{"type":"ByteLevel","add_prefix_space":{{(settings.AddsPrefixSpace == true ? "true" : "false")}},"trim_offsets":true,"use_regex":true}""";

    private static bool HasByteLevel(JsonField step, string items) => step.IsOfType("ByteLevel") ||
        (step.IsOfType("Sequence") && step[items].Items.Any(item => item.IsOfType("ByteLevel")));

    private static IReadOnlyCollection<AddedToken> ReadAddedTokens(
        JsonField field, BytePairJson model, TokenizerSettings settings, bool hasOwnClass)
    {
        var vocabulary = new AddedVocabulary(model.Vocabulary);
        HashSet<int> ids = [.. model.Vocabulary.Values];
        SortedDictionary<int, AddedToken> listed = new(settings.AddedTokens.ToDictionary());
        foreach (JsonField item in field.Items)
        {
            AddedToken token = AddedToken.Read(item, item["id"].TokenId);
            bool isKnown = model.Vocabulary.TryGetValue(token.Content, out int id);
            if (isKnown ? id != token.Id : !ids.Add(token.Id))
                throw item["id"].Refuse("the id that the vocabulary gives this token, or one that no other token has");
            if (!settings.ListsAllAddedTokens)
                listed[token.Id] = token with { Id = -1 };
            // Where the vocabulary has gaps, ids that transformers would give are ids of others.
            if (!hasOwnClass)
                vocabulary.Add(token, model.HasAllIds ? null : token.Id);
        }
        if (hasOwnClass)
            SetDefaults(settings, model);
        AddedTokenUnion.Add(vocabulary, settings, listed, settings.OlderExtraTokens ?? []);
        return vocabulary.Tokens;
    }

    // What the classes take for special tokens where no file says anything.
    private static void SetDefaults(TokenizerSettings settings, BytePairJson model)
    {
        (string Name, string Content)[] defaults = settings.IsLlama
            ? [("bos_token", "<s>"), ("eos_token", "</s>"), ("unk_token", "<unk>")]
            : [("bos_token", "<|endoftext|>"), ("eos_token", "<|endoftext|>"), ("unk_token", "<|endoftext|>")];
        foreach ((string name, string content) in defaults)
        {
            if (model.Vocabulary.ContainsKey(content))
                settings.SetDefault(name, content);
        }
    }
}
