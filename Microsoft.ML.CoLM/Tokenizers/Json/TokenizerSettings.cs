using System.Globalization;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>
/// What the files beside <c>tokenizer.json</c> or <c>tokenizer.model</c> say: <c>tokenizer_config.json</c>, and of older folders
/// <c>special_tokens_map.json</c> and <c>added_tokens.json</c>.
/// </summary>
internal sealed class TokenizerSettings
{
    private const string TokenSuffix = "_token";
    private const string ExtraTokens = "extra_special_tokens";
    private const string AdditionalTokens = "additional_special_tokens";

    // The order in which tokens that nobody has get their ids.
    private static readonly string[] StandardNames =
        ["bos_token", "eos_token", "unk_token", "sep_token", "pad_token", "cls_token", "mask_token"];

    private readonly Dictionary<string, AddedToken?> _named = [];
    private readonly List<string> _otherNames = [];
    private readonly Dictionary<string, InvalidDataException> _empty = [];
    private readonly SortedDictionary<int, AddedToken> _added = [];

    private TokenizerSettings()
    {
    }

    /// <summary>The class that transformers reads the tokenizer with, without <c>Fast</c>; empty for none.</summary>
    public string ClassName { get; private set; } = "";

    /// <summary>Whether transformers reads it as LLaMA's SentencePiece models.</summary>
    public bool IsLlama => ClassName == "LlamaTokenizer" || IsCodeLlama;

    /// <summary>Whether transformers reads it as Code Llama's, which begin texts unless a file says otherwise.</summary>
    public bool IsCodeLlama => ClassName == "CodeLlamaTokenizer";

    /// <summary>Whether <c>bos_token</c> stands before a text that a <c>tokenizer.model</c> encodes; null for no word on it.</summary>
    public bool? AddsBeginning { get; private set; }

    /// <summary>Whether <c>eos_token</c> stands behind a text that a <c>tokenizer.model</c> encodes.</summary>
    public bool AddsEnd { get; private set; }

    /// <summary>Whether a space is put before each part of a text between added tokens, not only before the first.</summary>
    public bool IsLegacy { get; private set; }

    /// <summary>Whether a space is put in front of a text; null for no word on it.</summary>
    public bool? AddsPrefixSpace { get; private set; }

    /// <summary>Whether text that spells a special token is text.</summary>
    public bool SplitsSpecialTokens { get; private set; }

    /// <summary>
    /// Tokens that are added to the model's own, by the id under which they are listed; null where no file lists any under
    /// <c>added_tokens_decoder</c>, so that those of <c>tokenizer.json</c> count.
    /// </summary>
    public IReadOnlyDictionary<int, AddedToken> AddedTokens => _added;

    /// <summary>Whether <see cref="AddedTokens"/> takes the place of those that <c>tokenizer.json</c> lists.</summary>
    public bool ListsAllAddedTokens { get; private set; }

    /// <summary>Further special tokens, without names; null where no file lists any.</summary>
    public IReadOnlyList<AddedToken>? ExtraSpecialTokens { get; private set; }

    /// <summary>Those that <c>special_tokens_map.json</c> lists by the older name; null for none.</summary>
    public IReadOnlyList<AddedToken>? OlderExtraTokens { get; private set; }

    /// <summary>The special tokens that have a name, such as <c>bos_token</c>, in the order of their names.</summary>
    public IEnumerable<AddedToken> NamedTokens => StandardNames.Concat(_otherNames)
        .Select(name => _named.GetValueOrDefault(name)).OfType<AddedToken>();

    /// <summary>Reads the files.</summary>
    /// <param name="files">Finds a file's name for messages and its bytes; null bytes for none.</param>
    /// <exception cref="InvalidDataException">A file is damaged.</exception>
    public static TokenizerSettings Read(Func<string, (string Path, byte[]? Content)> files)
    {
        var settings = new TokenizerSettings();
        ReadFile(files(TokenizerFiles.ConfigName), settings.ReadConfig);
        if (!settings.ListsAllAddedTokens)
        {
            ReadFile(files(TokenizerFiles.SpecialTokensName), settings.ReadSpecialTokens);
            ReadFile(files(TokenizerFiles.AddedTokensName), settings.ReadAddedTokens);
        }
        return settings;
    }

    /// <summary>A special token's text by its name.</summary>
    /// <param name="name">The name, such as <c>bos_token</c>.</param>
    /// <param name="otherwise">Its text where no file says anything; null for none.</param>
    /// <returns>Null where there is none, or a file says that there is none.</returns>
    public string? NameToken(string name, string? otherwise) =>
        _named.TryGetValue(name, out AddedToken? token) ? token?.Content : otherwise;

    /// <summary>Refuses an empty name for a token that stands around texts: transformers takes the unknown token for it.</summary>
    /// <exception cref="InvalidDataException">A file leaves it empty.</exception>
    public void RequireName(string name)
    {
        if (_empty.TryGetValue(name, out InvalidDataException? error))
            throw error;
    }

    /// <summary>The pre-tokenizer of <c>LlamaTokenizer</c>, as a <c>tokenizer.json</c> would describe it.</summary>
    public string DescribeSpaces()
    {
        string scheme = AddsPrefixSpace == false ? "never" : IsLegacy && !IsCodeLlama ? "always" : "first";
        return $$"""{"type":"Metaspace","replacement":"▁","prepend_scheme":"{{scheme}}","split":false}""";
    }

    /// <summary>Gives a special token where no file says anything about it.</summary>
    public void SetDefault(string name, string content) => _named.TryAdd(name, Special(content));

    private static AddedToken Special(string content) => new(-1, content, IsSpecial: true);

    private static void ReadFile((string Path, byte[]? Content) file, Action<JsonField> read)
    {
        if (file.Content is null)
            return;
        JsonField.Parse(file.Path, file.Content, root =>
        {
            read(root);
            return root.IsObject;
        });
    }

    private void ReadConfig(JsonField config)
    {
        JsonField className = config["tokenizer_class"];
        if (!className.IsMissing)
        {
            ClassName = className.Text.EndsWith("Fast", StringComparison.Ordinal) && className.Text != "PreTrainedTokenizerFast"
                ? className.Text[..^"Fast".Length]
                : className.Text;
        }
        AddsBeginning = OptionalFlag(config["add_bos_token"]);
        AddsEnd = config["add_eos_token"].Flag(defaultValue: false);
        IsLegacy = config["legacy"].Flag(defaultValue: false);
        AddsPrefixSpace = OptionalFlag(config["add_prefix_space"]);
        SplitsSpecialTokens = config["split_special_tokens"].Flag(defaultValue: false);
        config["clean_up_tokenization_spaces_for_bpe_even_though_it_will_corrupt_output"].RequireFlag(false, defaultValue: false);

        JsonField added = config["added_tokens_decoder"];
        ListsAllAddedTokens = !added.IsMissing;
        if (ListsAllAddedTokens)
        {
            foreach ((string key, JsonField description) in added.Members)
                _added[ReadId(key, description)] = AddedToken.Read(description, -1);
        }
        ReadNamedTokens(config);
        ReadExtraTokens(config[ExtraTokens].IsMissing ? config[AdditionalTokens] : config[ExtraTokens]);
    }

    private void ReadSpecialTokens(JsonField map)
    {
        ReadNamedTokens(map);
        ReadExtraTokens(map[ExtraTokens]);
        if (!map[AdditionalTokens].IsMissing)
            OlderExtraTokens = ReadTokens(map[AdditionalTokens]);
    }

    private void ReadAddedTokens(JsonField added)
    {
        HashSet<string> special =
            [.. NamedTokens.Select(token => token.Content), .. (ExtraSpecialTokens ?? []).Select(token => token.Content)];
        foreach ((string content, JsonField id) in added.Members)
        {
            if (content.Length is < 1 or > AddedToken.MostCharacters)
                throw id.Refuse($"as the member's name, a token of at least one character and at most {AddedToken.MostCharacters}");
            bool isSpecial = special.Contains(content);
            _added[id.TokenId] = new(-1, content, isSpecial) { IsNormalized = !isSpecial };
        }
    }

    private void ReadNamedTokens(JsonField root)
    {
        foreach ((string name, JsonField value) in root.Members)
        {
            if (name.EndsWith(TokenSuffix, StringComparison.Ordinal))
                ReadNamedToken(name, value);
        }
    }

    private void ReadNamedToken(string name, JsonField value)
    {
        bool isStandard = StandardNames.Contains(name);
        // Other settings end alike: add_bos_token is true or false.
        if (!isStandard && !value.IsText && !value.IsObject)
            return;
        // Folders of LLaMA's first days leave the three names empty, and put nothing around texts by them.
        if (value.IsText && value.Text.Length == 0)
        {
            _empty[name] = value.Refuse("the token that stands around texts");
            return;
        }
        _empty.Remove(name);
        if (!isStandard && !_named.ContainsKey(name))
            _otherNames.Add(name);
        _named[name] = value.IsMissing ? null : ReadToken(value);
    }

    private void ReadExtraTokens(JsonField field)
    {
        if (field.IsMissing)
            return;
        if (field.IsObject)
        {
            foreach ((string name, JsonField value) in field.Members)
                ReadNamedToken(name, value);
            return;
        }
        List<AddedToken> tokens = [.. ExtraSpecialTokens ?? []];
        tokens.AddRange(ReadTokens(field));
        ExtraSpecialTokens = tokens;
    }

    private static List<AddedToken> ReadTokens(JsonField field) => [.. field.Items.Select(ReadToken)];

    private static AddedToken ReadToken(JsonField value)
    {
        if (value.IsObject)
            return AddedToken.Read(value, -1);
        string content = value.Text;
        return content.Length is > 0 and <= AddedToken.MostCharacters
            ? Special(content)
            : throw value.Refuse($"at least one character and at most {AddedToken.MostCharacters}");
    }

    private static bool? OptionalFlag(JsonField field) => field.IsMissing ? null : field.Flag(defaultValue: false);

    private static int ReadId(string key, JsonField description) =>
        int.TryParse(key, NumberStyles.None, CultureInfo.InvariantCulture, out int id)
            ? id
            : throw description.Refuse("a token id as the member's name");
}
