using System.Buffers;
using System.Globalization;
using System.Text;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Columns as CSV (RFC 4180): UTF-8, a line of names, exact numbers; an empty field is no value.</summary>
internal static class TrialCsv
{
    private const string LineEnd = "\r\n";

    private static readonly SearchValues<char> Special = SearchValues.Create(",\"\r\n");

    public static void Write(IReadOnlyList<TrialColumn> columns, Stream stream)
    {
        using var writer = new StreamWriter(stream, new UTF8Encoding(false), leaveOpen: true) { NewLine = LineEnd };
        writer.WriteLine(string.Join(',', columns.Select(column => Field(column.Name))));
        for (var row = 0; row < columns[0].Values.Length; row++)
            writer.WriteLine(string.Join(',', columns.Select(column => Field(column.Values[row]))));
    }

    private static string Field(object? value) => value switch
    {
        null => "",
        string text => text.Length == 0 || text.AsSpan().ContainsAny(Special) || text[0] == ' ' || text[^1] == ' '
            ? $"\"{text.Replace("\"", "\"\"", StringComparison.Ordinal)}\"" : text,
        IFormattable number => number.ToString(null, CultureInfo.InvariantCulture),
        _ => throw new NotSupportedException($"A column of {value.GetType()} has no CSV."),
    };
}
