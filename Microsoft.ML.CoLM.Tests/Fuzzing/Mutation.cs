using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using System.Text.Json.Nodes;

namespace Microsoft.ML.CoLM.Tests.Fuzzing;

/// <summary>What may have become of a file: bits, bytes and ranges, numbers, and the parts of a JSON document.</summary>
internal static class Mutation
{
    private const int DeepestNesting = 2000;

    private static readonly long[] Extremes =
    [
        0, 1, -1, 2, 7, 255, 256, 65_536, 1_000_000, int.MaxValue, int.MinValue, 1L << 31, 1L << 32, (1L << 32) - 1,
        long.MaxValue, long.MinValue, 100_000_000, 400_000,
    ];

    private static readonly string[] NumberTexts =
    [
        "0", "-1", "1", "2147483647", "2147483648", "-2147483649", "9223372036854775807", "9223372036854775808", "1e400",
        "-1e400", "1e-400", "0.5", "NaN", "Infinity", "00", "1e10", "99999999999999999999999999", "\"7\"", "null", "true",
    ];

    private static readonly string[] Texts =
    [
        "", " ", "\0", "../outside", "/etc/passwd", "notes.txt", "config.json", "model.safetensors", "..", ".", "a/b", "a\\b",
        "\ud800", "\uFFFF", "é猫🐈", new('x', 5000), "F32", "BF16", "I64", "llama", "BPE", "Unigram", "(a+)+$", "[", "(?<x>",
    ];

    /// <summary>A file's bytes after one to three changes.</summary>
    public static byte[] OfBytes(byte[] bytes, Random random)
    {
        for (var left = random.Next(1, 4); left > 0; left--)
            bytes = ChangeBytes(bytes, random);
        return bytes;
    }

    /// <summary>A JSON document after one to three changes of its parts or, one time in four, of its bytes.</summary>
    public static byte[] OfJson(byte[] json, Random random)
    {
        if (random.Next(4) == 0)
            return OfBytes(json, random);
        var root = JsonNode.Parse(json)!;
        for (var left = random.Next(1, 4); left > 0; left--)
            ChangePart(root, random);
        var text = root.ToJsonString(new JsonSerializerOptions { MaxDepth = 2 * DeepestNesting });
        return Encoding.UTF8.GetBytes(random.Next(4) == 0 ? ChangeNumber(text, random) : text);
    }

    private static byte[] ChangeBytes(byte[] bytes, Random random)
    {
        if (bytes.Length == 0)
            return [(byte)random.Next(256)];
        var changed = (byte[])bytes.Clone();
        var (begin, length) = Range(bytes.Length, random);
        switch (random.Next(10))
        {
            case 0 or 1:
                for (var left = random.Next(1, 5); left > 0; left--)
                    changed[random.Next(changed.Length)] ^= (byte)(1 << random.Next(8));
                return changed;
            case 2:
                changed[begin] = (byte)random.Next(256);
                return changed;
            case 3:
                return bytes[..begin];
            case 4:
                var inserted = new byte[random.Next(1, 65)];
                if (random.Next(2) == 0)
                    random.NextBytes(inserted);
                return [.. bytes[..begin], .. inserted, .. bytes[begin..]];
            case 5:
                return [.. bytes[..begin], .. bytes[(begin + length)..]];
            case 6:
                return [.. bytes[..(begin + length)], .. bytes[begin..]];
            case 7:
                var (other, _) = Range(bytes.Length, random);
                bytes.AsSpan(begin, Math.Min(length, bytes.Length - other)).CopyTo(changed.AsSpan(other));
                return changed;
            case 8:
                Span<byte> number = stackalloc byte[sizeof(long)];
                BinaryPrimitives.WriteInt64LittleEndian(number, Extremes[random.Next(Extremes.Length)]);
                number = number[..Math.Min(random.Next(2) == 0 ? sizeof(int) : sizeof(long), bytes.Length - begin)];
                number.CopyTo(changed.AsSpan(begin));
                return changed;
            default:
                return Encoding.Latin1.GetBytes(ChangeNumber(Encoding.Latin1.GetString(bytes), random));
        }
    }

    // Most ranges are short, as most damage is.
    private static (int Begin, int Length) Range(int length, Random random)
    {
        var begin = random.Next(length);
        return (begin, Math.Min(length - begin, random.Next(4) == 0 ? random.Next(1, length + 1) : random.Next(1, 17)));
    }

    private static string ChangeNumber(string text, Random random)
    {
        var at = text.AsSpan(random.Next(text.Length)).IndexOfAnyInRange('0', '9');
        if (at < 0)
            at = text.AsSpan().IndexOfAnyInRange('0', '9');
        else
            at = text.IndexOfAny([.. "0123456789"], Math.Max(0, at));
        if (at < 0)
            return text;
        var end = at;
        while (end < text.Length && char.IsAsciiDigit(text[end]))
            end++;
        return text[..at] + NumberTexts[random.Next(NumberTexts.Length)] + text[end..];
    }

    private static void ChangePart(JsonNode root, Random random)
    {
        var containers = new List<JsonNode>();
        Collect(root, containers);
        var container = containers[random.Next(containers.Count)];
        if (container is JsonObject { Count: > 0 } properties)
        {
            var name = properties.ElementAt(random.Next(properties.Count)).Key;
            if (random.Next(6) == 0)
            {
                var moved = properties[name]?.DeepClone();
                properties.Remove(name);
                properties[random.Next(2) == 0 ? name + "x" : Texts[random.Next(Texts.Length)]] = moved;
            }
            else if (random.Next(5) == 0)
            {
                properties.Remove(name);
            }
            else
            {
                properties[name] = Other(properties[name], containers, random);
            }
        }
        else if (container is JsonArray { Count: > 0 } elements)
        {
            var index = random.Next(elements.Count);
            if (random.Next(4) == 0)
                elements.RemoveAt(index);
            else if (random.Next(3) == 0)
                elements.Insert(index, elements[random.Next(elements.Count)]?.DeepClone());
            else
                elements[index] = Other(elements[index], containers, random);
        }
    }

    private static JsonNode? Other(JsonNode? old, List<JsonNode> containers, Random random)
    {
        switch (random.Next(9))
        {
            case 0:
                return null;
            case 1 or 2:
                return JsonValue.Create(Extremes[random.Next(Extremes.Length)]);
            case 3:
                return JsonValue.Create(random.Next(2) == 0 ? 0.5 : -1e300);
            case 4:
                return JsonValue.Create(Texts[random.Next(Texts.Length)]);
            case 5:
                return JsonValue.Create(random.Next(2) == 0);
            case 6:
                return random.Next(2) == 0 ? new JsonArray() : new JsonObject();
            case 7:
                JsonNode nested = new JsonArray();
                for (var left = random.Next(2) == 0 ? 70 : DeepestNesting; left > 0; left--)
                    nested = new JsonArray(nested);
                return random.Next(4) == 0 ? nested : new JsonArray(old?.DeepClone());
            default:
                return containers[random.Next(containers.Count)] is JsonObject { Count: > 0 } from
                    ? from.ElementAt(random.Next(from.Count)).Value?.DeepClone() : old?.DeepClone();
        }
    }

    private static void Collect(JsonNode? node, List<JsonNode> containers)
    {
        if (node is JsonObject or JsonArray)
            containers.Add(node);
        foreach (var child in node switch
        {
            JsonObject properties => properties.Select(property => property.Value),
            JsonArray elements => elements,
            _ => [],
        })
        {
            Collect(child, containers);
        }
    }
}
