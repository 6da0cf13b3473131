using System.Globalization;
using System.Text.Json;

namespace Microsoft.ML.CoLM.Text;

/// <summary>
/// A value in a JSON file, or the place where one is missing, that knows its path: what is refused is refused with the
/// file, the path, what was expected there and what was found.
/// </summary>
internal readonly partial struct JsonField
{
    private const int LongestQuote = 80;
    private const int LongestPath = 400;
    private const string Missing = "is missing";

    // Enough for a vocabulary of a million tokens with as many merges, each of which is a list of two texts.
    private const int MostValues = 6_000_000;

    private readonly string _file;
    private readonly string _parent;
    private readonly string? _name;
    private readonly int _index;
    private readonly bool _isSetting;
    private readonly JsonElement _value;

    private JsonField(string file, string parent, string? name, int index, JsonElement value, bool isSetting = false)
    {
        _file = file;
        _parent = parent;
        _name = name;
        _index = index;
        _value = value;
        _isSetting = isSetting;
    }

    // Put together where it is asked for: a vocabulary has hundreds of thousands of fields, and few are refused.
    private string Path =>
        _name is null ? _index < 0 ? "" : string.Create(CultureInfo.InvariantCulture, $"{_parent}[{_index}]")
        : _parent.Length == 0 ? _name
        : $"{_parent}.{_name}";

    /// <summary>Whether there is nothing, or null.</summary>
    public bool IsMissing => _value.ValueKind is JsonValueKind.Undefined or JsonValueKind.Null;

    /// <summary>Whether there is a JSON string.</summary>
    public bool IsText => _value.ValueKind == JsonValueKind.String;

    /// <summary>The string; anything else is refused.</summary>
    public string Text => IsText ? _value.GetString()! : throw Refuse("a string");

    /// <summary>A string, or a number, true or false as the file writes it; anything else is refused.</summary>
    public string ScalarText => _value.ValueKind switch
    {
        JsonValueKind.String => _value.GetString()!,
        JsonValueKind.Number or JsonValueKind.True or JsonValueKind.False => _value.GetRawText(),
        _ => throw Refuse("a string, a number, true or false"),
    };

    /// <summary>Whether there is a JSON object.</summary>
    public bool IsObject => _value.ValueKind == JsonValueKind.Object;

    /// <summary>Whether there is a JSON array.</summary>
    public bool IsArray => _value.ValueKind == JsonValueKind.Array;

    /// <summary>The token id; anything else is refused.</summary>
    public int TokenId => _value.ValueKind == JsonValueKind.Number && _value.TryGetInt32(out int id) && id >= 0
        ? id
        : throw Refuse("a token id (a whole number of at least 0)");

    /// <summary>The number; anything else is refused.</summary>
    public double Number => _value.ValueKind == JsonValueKind.Number && _value.TryGetDouble(out double number)
        ? number
        : throw Refuse("a number");

    /// <summary>The members of the object; anything else is refused.</summary>
    public IReadOnlyList<KeyValuePair<string, JsonField>> Members
    {
        get
        {
            if (_value.ValueKind != JsonValueKind.Object)
                throw Refuse("an object");
            var path = Path;
            List<KeyValuePair<string, JsonField>> members = [];
            foreach (JsonProperty member in _value.EnumerateObject())
            {
                string name = member.Name;
                members.Add(new(name, Member(path, name, member.Value)));
            }
            return members;
        }
    }

    /// <summary>The items of the array, none when it is missing; anything else is refused.</summary>
    public IReadOnlyList<JsonField> Items
    {
        get
        {
            if (IsMissing)
                return [];
            if (_value.ValueKind != JsonValueKind.Array)
                throw Refuse("an array");
            var path = Path;
            var items = new List<JsonField>(_value.GetArrayLength());
            foreach (JsonElement item in _value.EnumerateArray())
                items.Add(new(_file, path, name: null, items.Count, item, _isSetting));
            return items;
        }
    }

    /// <summary>The member of that name, or the place where it is missing.</summary>
    public JsonField this[string name]
    {
        get
        {
            if (IsMissing)
                return Member(Path, name, default);
            if (_value.ValueKind != JsonValueKind.Object)
                throw Refuse("an object");
            _value.TryGetProperty(name, out JsonElement member);
            return Member(Path, name, member);
        }
    }

    /// <summary>A JSON text that this library wrote.</summary>
    public static JsonField Of(string json) =>
        new("", "", name: null, index: -1, JsonSerializer.Deserialize<JsonElement>(json));

    /// <summary>Parses a JSON file, which must hold an object.</summary>
    /// <param name="file">The file's name for messages.</param>
    /// <param name="content">The file's bytes.</param>
    /// <param name="read">Makes what the caller needs of it.</param>
    /// <exception cref="InvalidDataException">The file is no JSON object, or is refused by the reader.</exception>
    public static T Parse<T>(string file, byte[] content, Func<JsonField, T> read)
    {
        try
        {
            CheckValueCount(file, content);
            using var document = JsonDocument.Parse(content);
            JsonValueKind kind = document.RootElement.ValueKind;
            return kind == JsonValueKind.Object
                ? read(new(file, "", name: null, index: -1, document.RootElement))
                : throw new InvalidDataException($"{file}: expected a JSON object, found {kind}.");
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{file} is not valid JSON: {e.Message}", e);
        }
        catch (InvalidOperationException e)
        {
            // JSON's \u escapes can spell half a surrogate pair, which no Unicode text contains.
            throw new InvalidDataException($"{file} holds a string that is not valid Unicode: {e.Message}", e);
        }
    }

    /// <summary>The value when it is true or false, otherwise the default when it is missing.</summary>
    public bool Flag(bool defaultValue) => FlagOrNull ?? defaultValue;

    /// <summary>Whether there is an object of that <c>type</c>, as all parts of a tokenizer's description have one.</summary>
    public bool IsOfType(string type) => IsObject && this["type"].IsText && this["type"].Text == type;

    /// <summary>Refuses a flag that is missing or has another value.</summary>
    public void RequireFlag(bool expected, bool defaultValue)
    {
        if (Flag(defaultValue) != expected)
            throw Refuse(expected ? "true" : "false");
    }

    /// <summary>Refuses a string that is missing or has another value.</summary>
    public void RequireText(string expected)
    {
        if (!IsText || Text != expected)
            throw Refuse($"\"{expected}\"");
    }

    /// <summary>The error that refuses this value.</summary>
    /// <param name="expected">What could have stood here.</param>
    public InvalidDataException Refuse(string expected)
    {
        if (_isSetting)
            return IsMissing ? RefuseAs(Missing) : Refuse(expected, _value);
        string found = _value.ValueKind == JsonValueKind.Undefined ? "nothing" : _value.GetRawText();
        return new(
            $"{_file}: {Shorten(Path, LongestPath)}: expected {Shorten(expected, LongestPath)}, found {Shorten(found, LongestQuote)}.");
    }

    private static string Shorten(string text, int length) =>
        text.Length > length ? $"{text.AsSpan(0, length)}..." : text;

    private JsonField Member(string parent, string name, JsonElement value) =>
        new(_file, parent, name, index: -1, value, _isSetting);

    // A value in a parsed document takes more than its text, and a text of commas and little else much more.
    private static void CheckValueCount(string file, byte[] content)
    {
        var reader = new Utf8JsonReader(content);
        for (var count = 0; reader.Read(); count++)
        {
            if (count > MostValues)
                throw new InvalidDataException($"{file}: expected at most {MostValues} values, found more.");
        }
    }
}
