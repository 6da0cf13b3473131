using System.Text.Json;

namespace Microsoft.ML.CoLM.Text;

/// <summary>Settings, which a file may leave out: of what is there and refused, the message says what it must be.</summary>
internal readonly partial struct JsonField
{
    /// <summary>An object of settings, whose members are settings, too.</summary>
    /// <param name="json">The object.</param>
    /// <param name="file">The file's name for messages.</param>
    public static JsonField Settings(JsonElement json, string file) =>
        new(file, "", name: null, index: -1, json, isSetting: true);

    /// <summary>Whether the setting is there, be it null.</summary>
    public bool IsThere => _value.ValueKind != JsonValueKind.Undefined;

    /// <summary>Whether there are no members.</summary>
    public bool IsEmpty => !_value.EnumerateObject().Any();

    /// <summary>The whole number that fits 32 bits; anything else is refused.</summary>
    public int Integer => ToInteger(_value);

    /// <summary>A whole number that fits 32 bits; null where it is missing.</summary>
    public int? IntegerOrNull => IsMissing ? null : Integer;

    /// <summary>A whole number that may be written as 128.0, too; null where it is missing.</summary>
    public int? WholeNumberOrNull =>
        _value.ValueKind == JsonValueKind.Number && (int)_value.GetDouble() is var number && number == _value.GetDouble()
            ? number
            : IntegerOrNull;

    /// <summary>A number; null where it is missing.</summary>
    public double? NumberOrNull => IsMissing ? null : Number;

    /// <summary>True or false; null where it is missing.</summary>
    public bool? FlagOrNull => _value.ValueKind switch
    {
        JsonValueKind.True => true,
        JsonValueKind.False => false,
        _ => IsMissing ? null : throw Refuse("true or false"),
    };

    /// <summary>A string; null where it is missing.</summary>
    public string? TextOrNull => IsMissing ? null : IsText ? Text : throw Refuse("a text");

    /// <summary>An object; null where it is missing.</summary>
    public JsonField? ObjectOrNull => IsMissing ? null : IsObject ? this : throw Refuse("an object");

    /// <summary>A list of whole numbers, or one; null where it is missing.</summary>
    public int[]? IntegersOrNull => IsMissing ? null
        : IsArray ? [.. _value.EnumerateArray().Select(ToInteger)] : [Integer];

    /// <summary>A list of texts; null where it is missing.</summary>
    public string[]? TextsOrNull => IsMissing ? null
        : IsArray && _value.EnumerateArray().All(item => item.ValueKind == JsonValueKind.String)
            ? [.. _value.EnumerateArray().Select(item => item.GetString()!)]
            : throw Refuse("a list of texts");

    /// <summary>Those of the setting's ids that are within a vocabulary; of others a warning tells.</summary>
    public int[] WithinVocabulary(int[] ids, int vocabularySize, List<string>? warnings)
    {
        foreach (var id in ids.Where(id => id < 0 || id >= vocabularySize))
        {
            warnings?.Add(FormattableString.Invariant(
                $"{_file}: \"{Path}\" {id} is outside the vocabulary of {vocabularySize} and was passed over."));
        }
        return [.. ids.Where(id => id >= 0 && id < vocabularySize)];
    }

    /// <summary>The refusal of a setting's value, for example <c>config.json: "hidden_act" must be ..., found ...</c>.</summary>
    public InvalidDataException Refuse(string expected, object? found) =>
        RefuseAs($"must be {expected}, found {ErrorText.Value(found)}");

    /// <summary>The refusal of a setting that is there, or missing, at all.</summary>
    public InvalidDataException RefuseAs(string problem) => new($"{_file}: \"{Path}\" {problem}.");

    // Of a list one item, which is refused as the list is.
    private int ToInteger(JsonElement value) => value.ValueKind == JsonValueKind.Number && value.TryGetInt32(out var number)
        ? number
        : throw (IsMissing ? RefuseAs(Missing) : Refuse("a whole number that fits 32 bits", value));
}
