using System.Text;

namespace Microsoft.ML.CoLM.Text;

/// <summary>A table of plain text whose columns are as wide as what is in them.</summary>
internal sealed class TextTable
{
    private const string Gap = "  ";
    private const string Cut = "...";

    private readonly List<(string[] Cells, bool IsRight)> _columns = [];

    /// <summary>Adds a column; each has as many cells.</summary>
    /// <param name="header">What stands above it.</param>
    /// <param name="cells">Its cells; a line's end in one is a space.</param>
    /// <param name="isRight">Whether it is aligned on the right, as numbers are.</param>
    /// <param name="widest">Characters of a cell at most; longer ones are cut.</param>
    public void Add(string header, IEnumerable<string> cells, bool isRight = false, int widest = 24) =>
        _columns.Add(([Shortened(header, widest), .. cells.Select(cell => Shortened(cell, widest))], isRight));

    public override string ToString()
    {
        int[] widths = [.. _columns.Select(column => column.Cells.Max(cell => cell.Length))];
        var text = new StringBuilder();
        for (var row = 0; row < _columns[0].Cells.Length; row++)
        {
            var line = _columns.Select((column, i) => column.IsRight
                ? column.Cells[row].PadLeft(widths[i]) : column.Cells[row].PadRight(widths[i]));
            text.Append(string.Join(Gap, line).TrimEnd()).Append('\n');
            if (row == 0)
                text.Append(string.Join(Gap, widths.Select(width => new string('-', width)))).Append('\n');
        }
        return text.ToString();
    }

    /// <summary>Text in one line, of so many characters at most.</summary>
    public static string Shortened(string text, int widest)
    {
        text = string.Concat(text.Select(character => char.IsControl(character) ? ' ' : character));
        if (text.Length <= widest)
            return text;
        var kept = widest - Cut.Length;
        return text[..(char.IsHighSurrogate(text[kept - 1]) ? kept - 1 : kept)] + Cut;
    }
}
