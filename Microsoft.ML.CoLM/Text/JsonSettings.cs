using System.Text.Json;

namespace Microsoft.ML.CoLM.Text;

/// <summary>Typed access to a JSON object of settings; every refusal names the file and the setting.</summary>
/// <param name="json">The object.</param>
/// <param name="source">The file's name, for messages.</param>
/// <param name="path">Where in the file the object is, ending in a dot; empty for the whole.</param>
internal readonly struct JsonSettings(JsonElement json, string source, string path = "")
{
    /// <summary>Whether the setting is there, be it null.</summary>
    public bool Has(string name) => json.TryGetProperty(name, out _);

    /// <summary>Whether there are no settings.</summary>
    public bool IsEmpty => !json.EnumerateObject().Any();

    public int Integer(string name) => OptionalInteger(name) ?? throw Missing(name);

    public int? OptionalInteger(string name) => Find(name) is { } value ? ToInteger(value, name) : null;

    /// <summary>A whole number that may be written as 128.0, too; null where the setting is missing or null.</summary>
    public int? OptionalWholeNumber(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Number } value when (int)value.GetDouble() is var number && number == value.GetDouble() => number,
        { } value => ToInteger(value, name),
    };

    public double Number(string name) => OptionalNumber(name) ?? throw Missing(name);

    public double? OptionalNumber(string name)
    {
        if (Find(name) is not { } value)
            return null;
        return value.ValueKind == JsonValueKind.Number ? value.GetDouble() : throw Refuse(name, "a number", value);
    }

    public bool? OptionalBoolean(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.True } => true,
        { ValueKind: JsonValueKind.False } => false,
        { } value => throw Refuse(name, "true or false", value),
    };

    public string? OptionalText(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.String } value => value.GetString(),
        { } value => throw Refuse(name, "a text", value),
    };

    public JsonSettings? OptionalObject(string name) => Find(name) switch
    {
        null => null,
        { ValueKind: JsonValueKind.Object } value => new JsonSettings(value, source, $"{path}{name}."),
        { } value => throw Refuse(name, "an object", value),
    };

    /// <summary>A list of whole numbers, or one; null where the setting is missing or null.</summary>
    public int[]? OptionalIntegers(string name)
    {
        if (Find(name) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.Array)
            return [ToInteger(value, name)];
        var numbers = new List<int>();
        foreach (var element in value.EnumerateArray())
            numbers.Add(ToInteger(element, name));
        return [.. numbers];
    }

    /// <summary>Those of a setting's ids that are within a vocabulary; of others a warning tells.</summary>
    public int[] WithinVocabulary(string name, int[] ids, int vocabularySize, List<string>? warnings)
    {
        foreach (var id in ids.Where(id => id < 0 || id >= vocabularySize))
        {
            warnings?.Add(FormattableString.Invariant(
                $"{source}: \"{path}{name}\" {id} is outside the vocabulary of {vocabularySize} and was passed over."));
        }
        return [.. ids.Where(id => id >= 0 && id < vocabularySize)];
    }

    /// <summary>A list of texts; null where the setting is missing or null.</summary>
    public string[]? OptionalTexts(string name)
    {
        if (Find(name) is not { } value)
            return null;
        if (value.ValueKind != JsonValueKind.Array
            || value.EnumerateArray().Any(element => element.ValueKind != JsonValueKind.String))
        {
            throw Refuse(name, "a list of texts", value);
        }
        return [.. value.EnumerateArray().Select(element => element.GetString()!)];
    }

    /// <summary>The refusal of a setting's value, for example <c>config.json: "hidden_act" must be ...</c>.</summary>
    public InvalidDataException Refuse(string name, string expected, object? found) =>
        new($"{source}: \"{path}{name}\" must be {expected}, found {ErrorText.Value(found)}.");

    /// <summary>The refusal of a setting that is there at all.</summary>
    public InvalidDataException Refuse(string name, string problem) => new($"{source}: \"{path}{name}\" {problem}.");

    private JsonElement? Find(string name) =>
        json.TryGetProperty(name, out var value) && value.ValueKind != JsonValueKind.Null ? value : null;

    private int ToInteger(JsonElement value, string name) =>
        value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number)
            ? number
            : throw Refuse(name, "a whole number that fits 32 bits", value);

    private InvalidDataException Missing(string name) => new($"{source}: \"{path}{name}\" is missing.");
}
