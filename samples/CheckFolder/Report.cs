using Microsoft.ML.CoLM;
using Spectre.Console;

namespace CheckFolder;

/// <summary>Writes what a folder holds, or why it does not load.</summary>
internal static class Report
{
    /// <returns>The program's exit code.</returns>
    public static int Write(string folder)
    {
        // Lines of a report are not cut where it goes to a file.
        if (!AnsiConsole.Profile.Out.IsTerminal)
            AnsiConsole.Profile.Width = int.MaxValue;
        var machine = Machine.Describe();
        try
        {
            var info = CoLMModel.Inspect(folder);
            Write("It loads", folder, [.. ModelLines.Of(info, folder), .. TokenizerLines.Of(info, folder),
                .. info.Warnings.Select(warning => ("Warning", warning)), .. machine]);
            return 0;
        }
        catch (Exception e) when (e is ArgumentException or IOException or UnauthorizedAccessException or InvalidDataException
            or NotSupportedException)
        {
            Write("It does not load", folder, [("Error", $"{e.GetType().Name}: {e.Message}"), ("What to do", Advice.Of(e)), .. machine]);
            return 1;
        }
    }

    private static void Write(string verdict, string folder, IEnumerable<(string Name, string Text)> lines)
    {
        var grid = new Grid().AddColumn(new GridColumn().NoWrap().PadRight(2)).AddColumn();
        grid.AddRow(new Text(verdict), new Text(folder));
        foreach (var (name, text) in lines)
            grid.AddRow(new Text(name), new Text(text));
        AnsiConsole.Write(grid);
    }
}
