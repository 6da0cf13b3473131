using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>The <c>model</c> of a <c>tokenizer.json</c>, which is a byte-pair encoding of bytes or of characters.</summary>
internal sealed class BytePairJson
{
    private const int ByteCount = 256;

    private readonly JsonField _model;

    private BytePairJson(JsonField model) => _model = model;

    /// <summary>The tokens and their ids.</summary>
    public Dictionary<string, int> Vocabulary { get; } = [];

    /// <summary>Whether characters without a token become tokens of their bytes.</summary>
    public bool FallsBackToBytes { get; private set; }

    /// <summary>Whether each byte that UTF-8 has is a token, such as <c>&lt;0x0A&gt;</c>.</summary>
    public bool HasByteTokens => Enumerable.Range(0, ByteCount).All(value =>
        IsNeverInUtf8(value) || Vocabulary.ContainsKey(Piece.ByteText((byte)value)));

    /// <summary>Whether ids are the whole numbers from 0, each once.</summary>
    public bool HasAllIds => Vocabulary.Count == 0 || Vocabulary.Values.Max() == Vocabulary.Count - 1;

    /// <summary>Reads the vocabulary.</summary>
    /// <exception cref="InvalidDataException">The model is damaged, or of another kind.</exception>
    public static BytePairJson Read(JsonField model)
    {
        // Files of 2020 do not name the type; what they hold is checked all the same.
        if (model.IsMissing || !model["type"].IsMissing)
            model["type"].RequireText("BPE");
        JsonField dropout = model["dropout"];
        if (!dropout.IsMissing && dropout.Number != 0)
            throw dropout.Refuse("null or 0: tokens must not depend on chance");
        foreach (string affix in (string[])["continuing_subword_prefix", "end_of_word_suffix"])
        {
            if (!model[affix].IsMissing)
                model[affix].RequireText("");
        }
        var read = new BytePairJson(model) { FallsBackToBytes = model["byte_fallback"].Flag(defaultValue: false) };
        read.ReadVocabulary();
        return read;
    }

    /// <summary>Makes the encoder of words whose UTF-8 bytes the vocabulary spells in <see cref="ByteAlphabet"/>.</summary>
    public ByteLevelEncoder CreateByteLevel()
    {
        var idOfByte = new int[ByteCount];
        for (var value = 0; value < ByteCount; value++)
        {
            string symbol = ByteAlphabet.Symbol((byte)value).ToString();
            if (!Vocabulary.TryGetValue(symbol, out idOfByte[value]) && !IsNeverInUtf8(value))
            {
                throw _model["vocab"][symbol].Refuse(
                    $"the token id of byte 0x{(byte)value:X2} (every byte that UTF-8 has needs a token)");
            }
        }
        return new(idOfByte, ReadMerges(out _), Vocabulary, _model["ignore_merges"].Flag(defaultValue: false));
    }

    /// <summary>Makes the encoder of words whose characters the vocabulary has.</summary>
    /// <param name="isSentencePiece">
    /// Whether it is read as transformers' <c>LlamaTokenizer</c> has it: with bytes instead of an unknown token, and with all merges.
    /// </param>
    /// <param name="spellsBytes">Whether a step before spells the bytes of texts in <see cref="ByteAlphabet"/>.</param>
    public CharacterEncoder CreateCharacterLevel(bool isSentencePiece, bool spellsBytes)
    {
        int[]? idOfByte = FallsBackToBytes || isSentencePiece
            ? [.. Enumerable.Range(0, ByteCount).Select(value => Vocabulary.GetValueOrDefault(Piece.ByteText((byte)value), -1))]
            : null;
        bool hasAllBytes = Enumerable.Range(0, ByteCount).All(value => IsNeverInUtf8(value) || (spellsBytes
            ? Vocabulary.ContainsKey(ByteAlphabet.Symbol((byte)value).ToString())
            : idOfByte is not null && idOfByte[value] >= 0));
        int? unknown = null;
        JsonField name = _model["unk_token"];
        if (!isSentencePiece && !name.IsMissing && Vocabulary.TryGetValue(name.Text, out int id))
            unknown = id;
        else if (!hasAllBytes)
            throw name.Refuse("a token of the vocabulary: not every byte has one, so that some characters have none");
        BytePairMerges merges = ReadMerges(out HashSet<int> merged);
        var vocabulary = new CharacterVocabulary(Vocabulary, idOfByte)
        {
            UnknownId = unknown,
            FusesUnknown = _model["fuse_unk"].Flag(defaultValue: false),
            TakesWholeWords = !isSentencePiece && _model["ignore_merges"].Flag(defaultValue: false),
        };
        return new(vocabulary, merges,
            mergesBytes: (unknown is int token && merged.Contains(token)) || (idOfByte is not null && idOfByte.Any(merged.Contains)));
    }

    // The two that would begin a character that one byte can spell, and those that would begin one behind U+10FFFF.
    private static bool IsNeverInUtf8(int value) => value is 0xC0 or 0xC1 or >= 0xF5;

    private void ReadVocabulary()
    {
        HashSet<int> ids = [];
        foreach ((string name, JsonField id) in _model["vocab"].Members)
        {
            if (name.Length == 0)
                throw id.Refuse("no id for a token of no characters");
            if (!Vocabulary.TryAdd(name, id.TokenId) || !ids.Add(id.TokenId))
                throw id.Refuse("each token and each id once");
        }
    }

    private BytePairMerges ReadMerges(out HashSet<int> merged)
    {
        IReadOnlyList<JsonField> items = _model["merges"].Items;
        var merges = new BytePairMerges();
        merged = [];
        for (var rank = 0; rank < items.Count; rank++)
        {
            JsonField item = items[rank];
            // "a b" until 2024, ["a", "b"] since.
            string[] pair = item.IsText ? item.Text.Split(' ') : [.. item.Items.Select(token => token.Text)];
            if (pair is not [string left, string right] ||
                !Vocabulary.TryGetValue(left, out int leftId) ||
                !Vocabulary.TryGetValue(right, out int rightId) ||
                !Vocabulary.TryGetValue(left + right, out int id))
            {
                throw item.Refuse("two tokens of the vocabulary whose concatenation is in it, too");
            }
            merges.Add(leftId, rightId, rank, id);
            merged.Add(leftId);
            merged.Add(rightId);
        }
        return merges;
    }
}
