using System.Globalization;
using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Reads which choice is right: a number or a name, as published files and exports of them write it.</summary>
internal static class Answers
{
    private static readonly string[] FlagNames = ["false", "true"];

    /// <summary>The index that a text spells; null where it is no choice.</summary>
    /// <param name="text">A number, or one of the names.</param>
    /// <param name="count">How many choices there are.</param>
    /// <param name="first">The number of the first.</param>
    /// <param name="names">A name for each; none where they are numbers only.</param>
    public static int? TryIndex(string text, int count, int first = 0, string[]? names = null)
    {
        text = text.Trim();
        var name = Array.FindIndex(names ?? [], known => string.Equals(known, text, StringComparison.OrdinalIgnoreCase));
        if (name >= 0)
            return name;
        // A column with gaps is exported with fractions: 1.0.
        return double.TryParse(text, NumberStyles.Float, CultureInfo.InvariantCulture, out var number)
            && double.IsInteger(number) && number >= first && number < (long)first + count ? (int)number - first : null;
    }

    /// <summary>The index that a field holds.</summary>
    /// <exception cref="InvalidDataException">It is missing, or no choice.</exception>
    public static int Index(JsonField field, int count, int first = 0, string[]? names = null) =>
        field.IsMissing ? throw field.Refuse(Expected(count, first, names))
        : TryIndex(field.ScalarText, count, first, names) ?? throw field.Refuse(Expected(count, first, names));

    /// <summary>0 for false, 1 for true.</summary>
    /// <exception cref="InvalidDataException">The field is missing, or neither.</exception>
    public static int Flag(JsonField field) => Index(field, 2, names: FlagNames);

    /// <summary>What could have stood in an answer's place, for messages.</summary>
    public static string Expected(int count, int first = 0, string[]? names = null) => string.Create(
        CultureInfo.InvariantCulture,
        $"the right choice ({first} to {first + count - 1}{(names is null ? "" : $", or {string.Join(", ", names)}")}), " +
        $"which published test files lack");
}
