using System.Text.Json;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>Reads and checks the header of a safetensors file, before anything is allocated for its tensors.</summary>
internal static class SafetensorsHeader
{
    /// <summary>The format's own limit.</summary>
    public const long MaximumLength = 100_000_000;

    /// <summary>Bytes of the number before the header that says how long it is.</summary>
    public const int PrefixLength = sizeof(ulong);

    /// <summary>The one entry of a header that is no tensor: free text of whoever wrote the file.</summary>
    public const string MetadataName = "__metadata__";

    /// <summary>The tensors in the order of their bytes; every one begins where the one before ends.</summary>
    /// <param name="json">The header.</param>
    /// <param name="source">The file's name, for messages.</param>
    /// <param name="dataLength">Bytes after the header; null where the source does not tell.</param>
    /// <param name="metadata">Gets the free texts by their names; null where nobody asks for them.</param>
    /// <exception cref="InvalidDataException">The header is not what the format asks for.</exception>
    public static List<SafetensorsEntry> Parse(
        ReadOnlyMemory<byte> json, string source, long? dataLength, IDictionary<string, string>? metadata = null)
    {
        var entries = new List<SafetensorsEntry>();
        try
        {
            using var document = JsonDocument.Parse(json, new JsonDocumentOptions { AllowDuplicateProperties = false });
            var header = document.RootElement;
            if (header.ValueKind != JsonValueKind.Object)
                throw new InvalidDataException($"{source}: the header must be a JSON object, not {header.ValueKind}.");
            foreach (var property in header.EnumerateObject())
            {
                if (property.NameEquals(MetadataName))
                    ReadMetadata(property.Value, source, metadata);
                else
                    entries.Add(ParseEntry(property, source, dataLength));
            }
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            // InvalidOperationException: a text with half a surrogate pair.
            throw new InvalidDataException($"{source}: the header is not valid JSON: {e.Message}", e);
        }

        entries.Sort((a, b) => (a.Begin, a.End).CompareTo((b.Begin, b.End)));
        CheckCoverage(entries, source, dataLength);
        return entries;
    }

    private static void ReadMetadata(JsonElement json, string source, IDictionary<string, string>? metadata)
    {
        CheckMetadata(json, source);
        if (metadata is null || json.ValueKind != JsonValueKind.Object)
            return;
        foreach (var text in json.EnumerateObject())
            metadata[text.Name] = text.Value.GetString()!;
    }

    private static void CheckMetadata(JsonElement metadata, string source)
    {
        if (metadata.ValueKind == JsonValueKind.Null)
            return;
        if (metadata.ValueKind != JsonValueKind.Object
            || metadata.EnumerateObject().Any(entry => entry.Value.ValueKind != JsonValueKind.String))
        {
            throw new InvalidDataException($"{source}: {MetadataName} must be a JSON object of texts.");
        }
    }

    private static SafetensorsEntry ParseEntry(JsonProperty property, string source, long? dataLength)
    {
        var name = property.Name;
        var info = property.Value;
        if (info.ValueKind != JsonValueKind.Object)
            throw Error(source, name, $"must be described by a JSON object, found {info.ValueKind}");

        var typeName = Required(info, "dtype", JsonValueKind.String, source, name).GetString()!;
        var type = SafetensorsType.Find(typeName)
            ?? throw Error(source, name, $"has the unknown element type {ErrorText.Quote(typeName)}");
        var shape = Numbers(info, "shape", source, name);
        var offsets = Numbers(info, "data_offsets", source, name);
        if (offsets.Length != 2)
            throw Error(source, name, $"must have two data_offsets, found {offsets.Length}");

        var (begin, end) = (offsets[0], offsets[1]);
        if (begin > end)
            throw Error(source, name, $"has data_offsets [{begin}, {end}], which end before they begin");
        if (end > dataLength)
        {
            throw Error(source, name, $"ends at byte {end} of the data, but only {dataLength} bytes follow the " +
                "header: the file is truncated, or its data_offsets are wrong");
        }
        if (ByteCount(shape, type.Size) is not { } expected)
            throw Error(source, name, $"has shape {ErrorText.Shape(shape)}, whose size overflows");
        if (end - begin != expected)
        {
            throw Error(source, name, $"has shape {ErrorText.Shape(shape)} of {type.Name}, which is {expected} " +
                $"bytes, but its data_offsets [{begin}, {end}] hold {end - begin}");
        }
        return new SafetensorsEntry(name, type, shape, begin, end);
    }

    private static JsonElement Required(
        JsonElement info, string key, JsonValueKind kind, string source, string name)
    {
        if (!info.TryGetProperty(key, out var value))
            throw Error(source, name, $"has no {key}");
        if (value.ValueKind != kind)
            throw Error(source, name, $"has a {key} that is no JSON {kind} but {value.ValueKind}");
        return value;
    }

    private static long[] Numbers(JsonElement info, string key, string source, string name)
    {
        var array = Required(info, key, JsonValueKind.Array, source, name);
        var numbers = new long[array.GetArrayLength()];
        var count = 0;
        foreach (var element in array.EnumerateArray())
        {
            if (element.ValueKind != JsonValueKind.Number || !element.TryGetInt64(out var number) || number < 0)
            {
                throw Error(source, name,
                    $"has {ErrorText.Value(element)} in its {key}, where a whole number of at least 0 belongs");
            }
            numbers[count++] = number;
        }
        return numbers;
    }

    private static long? ByteCount(long[] shape, int elementSize)
    {
        try
        {
            long bytes = elementSize;
            foreach (var size in shape)
                bytes = checked(bytes * size);
            return bytes;
        }
        catch (OverflowException)
        {
            return null;
        }
    }

    private static void CheckCoverage(List<SafetensorsEntry> entries, string source, long? dataLength)
    {
        long end = 0;
        foreach (var entry in entries)
        {
            if (entry.Begin != end)
            {
                var problem = entry.Begin < end
                    ? "it overlaps the tensor before it" : "the bytes between belong to no tensor";
                throw Error(
                    source, entry.Name, $"begins at byte {entry.Begin} of the data, not at {end}: {problem}");
            }
            end = entry.End;
        }
        if (dataLength is { } length && length != end)
        {
            throw new InvalidDataException(
                $"{source}: the header describes {end} bytes of tensors, but {length} bytes follow it.");
        }
    }

    private static InvalidDataException Error(string source, string name, string problem) =>
        new($"{source}: tensor {ErrorText.Quote(name)} {problem}.");
}
