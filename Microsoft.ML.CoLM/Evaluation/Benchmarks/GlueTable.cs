using System.Globalization;
using System.Text;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Reads GLUE's published files: fields between tabs, a row a line, no quoting.</summary>
/// <param name="task">The task.</param>
/// <param name="path">The file.</param>
/// <param name="warn">Told of rows that are left out.</param>
internal sealed class GlueTable(GlueTask task, string path, Action<string> warn)
{
    private static readonly UTF8Encoding Utf8 = new(encoderShouldEmitUTF8Identifier: false, throwOnInvalidBytes: true);

    private readonly GlueItems _items = new(task);

    private readonly (string Role, GlueColumn Column)[] _columns = task.SecondText is null
        ? [("text", task.Text), ("label", task.Label)]
        : [("first text", task.Text), ("second text", task.SecondText), ("label", task.Label)];

    /// <summary>The rows.</summary>
    /// <exception cref="FileNotFoundException">There is no such file.</exception>
    /// <exception cref="InvalidDataException">A row or its label is wrong; the message names the line.</exception>
    public List<BenchmarkItem> Read()
    {
        List<BenchmarkItem> items = [];
        int[]? places = null;
        var (width, cut, firstCut) = (0, 0, 0);
        foreach (var (number, line) in FileLines.Read(path, FileLimits.TaskLines, FileLimits.TaskItem))
        {
            var fields = Decode(line, number).Split('\t');
            if (places is null)
            {
                width = fields.Length;
                places = NamedPlaces(fields, number);
                if (places is not null)
                    continue;
                places = PublishedPlaces(fields, number);
                if (task.HasHeader)
                    continue;
            }
            if (task.HasCutRows && fields.Length < width)
            {
                firstCut = cut++ == 0 ? number : firstCut;
                continue;
            }
            TaskItems.CheckCount(path, items.Count);
            items.Add(ReadRow(fields, places, width, number));
        }
        if (cut > 0)
        {
            warn(string.Create(CultureInfo.InvariantCulture,
                $"{path}: {cut} rows end early, that in line {firstCut} first, and are left out."));
        }
        return items;
    }

    private BenchmarkItem ReadRow(string[] fields, int[] places, int width, int number)
    {
        if (fields.Length != width)
            throw Refuse(number, $"expected {width} fields between tabs, found {fields.Length}");
        var label = fields[places[^1]];
        return _items.Create(fields[places[0]], places.Length > 2 ? fields[places[1]] : "", label)
            ?? throw Refuse(number, $"label: expected {_items.ExpectedLabel}, found {ErrorText.Quote(label)}");
    }

    // Where a header names the columns; null where it names none of them.
    private int[]? NamedPlaces(string[] header, int number)
    {
        var places = Array.ConvertAll(_columns, column => PlaceOf(column.Column, header));
        if (Array.TrueForAll(places, place => place < 0))
            return null;
        return !places.Contains(-1) ? places : throw Refuse(number, $"expected a header with {ColumnNames()}, found " +
            $"{ErrorText.Quote(string.Join(", ", header))}; published test files have no labels");
    }

    // Of a file without a header, or with names of its own.
    private int[] PublishedPlaces(string[] fields, int number)
    {
        var places = Array.ConvertAll(_columns, column => column.Column.Place < 0 ? fields.Length - 1 : column.Column.Place);
        if (places.Max() >= fields.Length || places.Distinct().Count() < places.Length)
        {
            throw Refuse(number, $"expected {ColumnNames()} among the fields between tabs, " +
                $"{places.Max() + 1} or more, found {fields.Length}; published test files have no labels");
        }
        return !task.HasHeader || !_items.IsLabel(fields[places[^1]]) ? places
            : throw Refuse(number, $"expected a header with {ColumnNames()}, found a row");
    }

    private static int PlaceOf(GlueColumn column, string[] header)
    {
        foreach (var name in column.Names)
        {
            if (Array.FindIndex(header, field => field.Trim() == name) is >= 0 and var place)
                return place;
        }
        return -1;
    }

    private string ColumnNames() =>
        string.Join(", ", _columns.Select(column => $"the {column.Role} '{column.Column.Names[0]}'"));

    private string Decode(byte[] line, int number)
    {
        try
        {
            return Utf8.GetString(line);
        }
        catch (DecoderFallbackException)
        {
            throw Refuse(number, "expected text in UTF-8, found other bytes");
        }
    }

    private InvalidDataException Refuse(int number, string problem) => new($"{path}, line {number}: {problem}.");
}
