using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>Reads the patterns of a <c>tokenizer.json</c>.</summary>
internal static class PatternJson
{
    /// <summary>The most characters of a pattern, or of a text that takes a match's place: real files have up to a thousand.</summary>
    public const int MostCharacters = 8192;

    /// <summary>The most steps that change or cut a text: each takes time for every text, and real files have up to ten.</summary>
    public const int MostSteps = 64;

    /// <summary>The most characters of all patterns of steps together: each takes time to prepare.</summary>
    public const int MostCharactersOfAll = 16_384;

    private const int DeepestNesting = 16;

    /// <summary>The steps that change or cut a text: one, or those of sequences within each other, in order.</summary>
    /// <param name="field">The step, or the sequence.</param>
    /// <param name="items">The name of a sequence's items.</param>
    /// <exception cref="InvalidDataException">They are too many, too deep, or their patterns too long together.</exception>
    public static List<JsonField> ReadSteps(JsonField field, string items)
    {
        List<JsonField> steps = [];
        AddSteps(field, items, steps, depth: 0);
        if (steps.Count > 1)
            CheckSteps(field[items], steps);
        return steps;
    }

    private static void AddSteps(JsonField step, string items, List<JsonField> steps, int depth)
    {
        if (step["type"].Text != "Sequence")
        {
            steps.Add(step);
            return;
        }
        if (depth == DeepestNesting)
            throw step.Refuse($"at most {DeepestNesting} sequences within each other");
        foreach (JsonField item in step[items].Items)
            AddSteps(item, items, steps, depth + 1);
    }

    private static void CheckSteps(JsonField field, List<JsonField> steps)
    {
        if (steps.Count > MostSteps)
            throw field.Refuse($"at most {MostSteps} steps (there are {steps.Count})");
        long characters = steps.Select(step => step["pattern"]).Where(pattern => pattern.IsObject)
            .Sum(pattern => (long)LengthOf(pattern["String"]) + LengthOf(pattern["Regex"]));
        if (characters > MostCharactersOfAll)
            throw field.Refuse($"patterns of at most {MostCharactersOfAll} characters together (there are {characters})");

        static int LengthOf(JsonField text) => text.IsText ? text.Text.Length : 0;
    }

    /// <summary>Reads a pattern: <c>{"String": "..."}</c> or <c>{"Regex": "..."}</c>.</summary>
    /// <exception cref="InvalidDataException">It is something else, too long or not supported.</exception>
    public static TextPattern Read(JsonField pattern)
    {
        if (!pattern["String"].IsMissing)
            return TextPattern.Literal(ReadText(pattern["String"]));
        JsonField regex = pattern["Regex"];
        try
        {
            return TextPattern.Parse(ReadText(regex));
        }
        catch (FormatException e)
        {
            throw regex.Refuse($"a regular expression that is supported, but {e.Message}");
        }
    }

    /// <summary>Reads a text of limited length.</summary>
    public static string ReadText(JsonField field)
    {
        string text = field.Text;
        return text.Length <= MostCharacters
            ? text
            : throw field.Refuse($"at most {MostCharacters} characters (there are {text.Length})");
    }

    /// <summary>Reads a value of an enumeration by the name that the file gives it.</summary>
    public static T ReadName<T>(JsonField field, Func<T, string> nameOf)
        where T : struct, Enum
    {
        string name = field.Text;
        foreach (T value in Enum.GetValues<T>())
        {
            if (nameOf(value) == name)
                return value;
        }
        throw field.Refuse($"one of \"{string.Join("\", \"", Enum.GetValues<T>().Select(nameOf))}\"");
    }
}
