using System.Globalization;
using System.Text.Json;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Tokenizers;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Reads files of a JSON object for each item: a line each, or all in one array.</summary>
internal static class TaskItems
{
    /// <summary>Items that a file may have: five times what the largest published one, MNLI's, has.</summary>
    public const int MostItems = 2_000_000;

    /// <summary>The items, in the file's order.</summary>
    /// <param name="path">The file, in UTF-8.</param>
    /// <param name="read">Makes an item of its object.</param>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">
    /// It is no JSON, or too long, or <paramref name="read"/> refuses an item; the message names the line, or in an array
    /// the item, counted from 1.
    /// </exception>
    public static List<T> Read<T>(string path, Func<JsonField, T> read) =>
        FirstCharacter(path) == '[' ? ReadArray(path, read) : ReadLines(path, read);

    /// <summary>Whether a file begins as one of JSON does.</summary>
    public static bool AreIn(string path) => FirstCharacter(path) is '[' or '{';

    private static List<T> ReadLines<T>(string path, Func<JsonField, T> read)
    {
        List<T> items = [];
        foreach (var (number, line) in FileLines.Read(path, FileLimits.TaskLines, FileLimits.TaskItem))
            Add(items, path, read, "line", number, line);
        return items;
    }

    private static List<T> ReadArray<T>(string path, Func<JsonField, T> read)
    {
        var content = BoundedFile.ReadAllBytes(path, FileLimits.TaskArray);
        List<T> items = [];
        try
        {
            // What precedes the first bracket is white space and a mark of byte order, which the reader would refuse.
            var begin = Array.IndexOf(content, (byte)'[');
            var reader = new Utf8JsonReader(content.AsSpan(begin));
            _ = reader.Read();
            while (reader.Read() && reader.TokenType != JsonTokenType.EndArray)
            {
                var itemBegin = begin + (int)reader.TokenStartIndex;
                reader.Skip();
                var item = content[itemBegin..(begin + (int)reader.BytesConsumed)];
                Add(items, path, read, "item", items.Count + 1, item);
            }
            _ = reader.Read(); // refuses what follows the array
        }
        catch (JsonException e)
        {
            throw new InvalidDataException($"{path} is not valid JSON: {e.Message}", e);
        }
        return items;
    }

    /// <summary>Refuses one more item than a file may have.</summary>
    public static void CheckCount(string path, int before)
    {
        if (before == MostItems)
            throw new InvalidDataException($"{path}: expected at most {MostItems} items, found more.");
    }

    private static void Add<T>(
        List<T> items, string path, Func<JsonField, T> read, string what, int number, byte[] content)
    {
        var place = string.Create(CultureInfo.InvariantCulture, $"{path}, {what} {number}");
        if (content.Length > FileLimits.TaskItem)
            throw new InvalidDataException($"{place}: expected at most {FileLimits.TaskItem} bytes, found {content.Length}.");
        CheckCount(path, items.Count);
        items.Add(JsonField.Parse(place, content, read));
    }

    // The first that is neither white space nor of a mark of byte order; NUL where there is none.
    private static char FirstCharacter(string path)
    {
        using var file = OrdinaryFile.OpenRead(path);
        Span<byte> piece = stackalloc byte[256];
        while (file.Read(piece) is > 0 and var length)
        {
            var at = piece[..length].IndexOfAnyExcept(" \t\r\n\uFEFF"u8);
            if (at >= 0)
                return (char)piece[at];
        }
        return '\0';
    }
}
