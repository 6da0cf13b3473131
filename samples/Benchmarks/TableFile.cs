using System.Text.Json;

namespace Benchmarks;

/// <summary>The rows of a file, as text: JSON lines, or lines of fields between tabs with a header, without quoting.</summary>
/// <param name="Path">The file, for messages.</param>
/// <param name="Names">The columns' names.</param>
/// <param name="Rows">Line number and fields of each row.</param>
internal sealed record TableFile(string Path, string[] Names, List<(int Line, string[] Fields)> Rows)
{
    /// <param name="file">The file.</param>
    /// <param name="most">Rows to read.</param>
    /// <exception cref="InvalidDataException">A line has other columns than the first; the message names file and line.</exception>
    public static TableFile Read(FileInfo file, int most)
    {
        var table = new TableFile(file.FullName, [], []);
        var number = 0;
        foreach (var line in File.ReadLines(file.FullName))
        {
            number++;
            if (table.Rows.Count == most)
                break;
            if (string.IsNullOrWhiteSpace(line))
                continue;
            if (table.Names.Length == 0)
            {
                var isJson = line.TrimStart().StartsWith('{');
                table = table with { Names = isJson ? [.. Values(line, table, number).Keys] : line.Split('\t'), IsJson = isJson };
                if (!isJson)
                    continue;
            }
            table.Rows.Add((number, table.IsJson ? table.OfJson(line, number) : table.OfTabs(line, number)));
        }
        return table.Rows.Count > 0 ? table : throw new InvalidDataException($"{table.Path} has no rows.");
    }

    private bool IsJson { get; init; }

    private string[] OfTabs(string line, int number)
    {
        var fields = line.Split('\t');
        return fields.Length == Names.Length ? fields : throw new InvalidDataException(
            $"{Path}, line {number}: expected {Names.Length} fields as in the header, found {fields.Length}.");
    }

    private string[] OfJson(string line, int number)
    {
        var values = Values(line, this, number);
        return Array.ConvertAll(Names, name => values.GetValueOrDefault(name) ??
            throw new InvalidDataException($"{Path}, line {number}: no \"{name}\", which the first line has."));
    }

    // Text, numbers, true and false: what a column can hold.
    private static Dictionary<string, string> Values(string line, TableFile table, int number)
    {
        try
        {
            using var json = JsonDocument.Parse(line);
            var values = new Dictionary<string, string>();
            foreach (var property in json.RootElement.EnumerateObject())
            {
                if (property.Value.ValueKind is not (JsonValueKind.Array or JsonValueKind.Object or JsonValueKind.Null))
                    values[property.Name] = property.Value.ToString();
            }
            return values;
        }
        catch (Exception e) when (e is JsonException or InvalidOperationException)
        {
            throw new InvalidDataException($"{table.Path}, line {number}: expected a JSON object. {e.Message}", e);
        }
    }
}
