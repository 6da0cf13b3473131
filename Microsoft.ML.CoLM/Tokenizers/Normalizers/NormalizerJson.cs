using System.Text;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Reads the <c>normalizer</c> of a <c>tokenizer.json</c>.</summary>
internal static class NormalizerJson
{
    /// <summary>Reads the steps that change a text.</summary>
    /// <returns>The steps, or null when there are none.</returns>
    /// <exception cref="InvalidDataException">They are damaged, or not supported.</exception>
    public static ITextNormalizer? Read(JsonField normalizer)
    {
        if (normalizer.IsMissing)
            return null;
        List<JsonField> steps = PatternJson.ReadSteps(normalizer, "normalizers");
        return steps.Count switch
        {
            0 => null,
            1 => ReadStep(steps[0]),
            _ => new NormalizerSequence([.. steps.Select(ReadStep)]),
        };
    }

    private static ITextNormalizer ReadStep(JsonField step) => step["type"].Text switch
    {
        "NFC" => ReadForm(step, NormalizationForm.FormC),
        "NFD" => ReadForm(step, NormalizationForm.FormD),
        "NFKC" => ReadForm(step, NormalizationForm.FormKC),
        "NFKD" => ReadForm(step, NormalizationForm.FormKD),
        "Lowercase" => CharacterMapping.Lowercase,
        "StripAccents" => CharacterMapping.StripAccents,
        "Nmt" => CharacterMapping.Nmt,
        "ByteLevel" => new ByteNormalizer(),
        "Strip" => new WhitespaceTrimming(
            step["strip_left"].Flag(defaultValue: true), step["strip_right"].Flag(defaultValue: true)),
        "Prepend" => new PrependNormalizer(PatternJson.ReadText(step["prepend"])),
        "Replace" => new ReplaceNormalizer(PatternJson.Read(step["pattern"]), PatternJson.ReadText(step["content"])),
        _ => throw step["type"].Refuse(
            "\"NFC\", \"NFD\", \"NFKC\", \"NFKD\", \"Lowercase\", \"StripAccents\", \"Nmt\", \"ByteLevel\", \"Strip\", " +
            "\"Prepend\", \"Replace\" or \"Sequence\""),
    };

    private static UnicodeFormNormalizer ReadForm(JsonField step, NormalizationForm form) =>
        UnicodeFormNormalizer.IsAvailable
            ? new(form)
            : throw step["type"].Refuse("nothing that needs Unicode's normal forms, as this process runs without them (InvariantGlobalization)");
}
