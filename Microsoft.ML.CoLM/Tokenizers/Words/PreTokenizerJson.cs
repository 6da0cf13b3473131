using System.Text;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Reads the <c>pre_tokenizer</c> of a <c>tokenizer.json</c>.</summary>
internal static class PreTokenizerJson
{
    /// <summary>The expression of GPT-2, which byte-level tokenizers use unless they bring their own.</summary>
    public const string Gpt2Pattern = @"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+";

    /// <summary>Reads the steps; without any, a text is one word.</summary>
    /// <exception cref="InvalidDataException">They are damaged, or not supported.</exception>
    public static PreTokenization Read(JsonField preTokenizer)
    {
        if (preTokenizer.IsMissing)
            return new([], SpellsBytes: false);
        List<JsonField> steps = PatternJson.ReadSteps(preTokenizer, "pretokenizers");
        // The model spells the bytes of the last step's words: what is fast needs no text for them.
        bool spellsBytes = steps.Count > 0 && steps[^1]["type"].Text == "ByteLevel";
        List<IPreTokenizer> preTokenizers = [.. steps.SelectMany(ReadStep)];
        return new(spellsBytes ? preTokenizers[..^1] : preTokenizers, spellsBytes);
    }

    private static IEnumerable<IPreTokenizer> ReadStep(JsonField step) => step["type"].Text switch
    {
        "Split" => [new PatternSplitter(
            PatternJson.Read(step["pattern"]), ReadBehavior(step["behavior"]), step["invert"].Flag(defaultValue: false))],
        "ByteLevel" => ReadByteLevel(step),
        "Metaspace" => ReadMetaspace(step),
        "Digits" => [Characters(
            UnicodeProperties.Named("n"),
            "Digits",
            step["individual_digits"].Flag(defaultValue: false) ? SplitBehavior.Isolated : SplitBehavior.Contiguous)],
        "Punctuation" => [Characters(
            UnicodeProperties.Punctuation,
            "Punctuation",
            step["behavior"].IsMissing ? SplitBehavior.Isolated : ReadBehavior(step["behavior"]))],
        "Whitespace" => [new PatternSplitter(TextPattern.Parse(@"[\w\u200C\u200D]+|[^\w\u200C\u200D\s]+"), SplitBehavior.Removed, invert: true)],
        "WhitespaceSplit" => [WhitespaceSplit()],
        "BertPreTokenizer" =>
            [WhitespaceSplit(), Characters(UnicodeProperties.Punctuation, "BertPreTokenizer", SplitBehavior.Isolated)],
        "CharDelimiterSplit" =>
            [new PatternSplitter(TextPattern.Literal(ReadCharacter(step["delimiter"])), SplitBehavior.Removed)],
        _ => throw step["type"].Refuse(
            "\"Split\", \"ByteLevel\", \"Metaspace\", \"Digits\", \"Punctuation\", \"Whitespace\", \"WhitespaceSplit\", " +
            "\"BertPreTokenizer\", \"CharDelimiterSplit\" or \"Sequence\""),
    };

    private static List<IPreTokenizer> ReadByteLevel(JsonField step)
    {
        List<IPreTokenizer> steps = [];
        if (step["add_prefix_space"].Flag(defaultValue: true))
            steps.Add(new SpacePrefix());
        if (step["use_regex"].Flag(defaultValue: true))
            steps.Add(new PatternSplitter(TextPattern.Parse(Gpt2Pattern), SplitBehavior.Isolated));
        steps.Add(new ByteSpelling());
        return steps;
    }

    private static List<IPreTokenizer> ReadMetaspace(JsonField step)
    {
        string replacement = ReadCharacter(step["replacement"]);
        JsonField schemeField = step["prepend_scheme"];
        PrependScheme scheme = schemeField.IsMissing
            ? PrependScheme.Always
            : PatternJson.ReadName<PrependScheme>(schemeField, value => value.ToString().ToLowerInvariant());
        // Files before 2024 say it so.
        if (!step["add_prefix_space"].Flag(defaultValue: true))
        {
            if (!schemeField.IsMissing && scheme != PrependScheme.Never)
                throw schemeField.Refuse("\"never\", as add_prefix_space is false");
            scheme = PrependScheme.Never;
        }
        List<IPreTokenizer> steps = [new SpaceReplacement(replacement, scheme)];
        if (step["split"].Flag(defaultValue: true))
            steps.Add(new PatternSplitter(TextPattern.Literal(replacement), SplitBehavior.MergedWithNext));
        return steps;
    }

    private static PatternSplitter Characters(CodePointSet set, string name, SplitBehavior behavior) =>
        new(TextPattern.Character(set, name), behavior);

    private static PatternSplitter WhitespaceSplit() =>
        Characters(UnicodeProperties.Space, "WhitespaceSplit", SplitBehavior.Removed);

    private static SplitBehavior ReadBehavior(JsonField field) =>
        PatternJson.ReadName<SplitBehavior>(field, value => value.ToString());

    private static string ReadCharacter(JsonField field)
    {
        string text = field.Text;
        return text.EnumerateRunes().Count() == 1 ? text : throw field.Refuse("one character");
    }
}
