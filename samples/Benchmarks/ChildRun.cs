using System.Diagnostics;
using System.Globalization;

namespace Benchmarks;

/// <summary>This program once more, in a process whose memory is its own.</summary>
internal static class ChildRun
{
    /// <summary>The numbers that the process writes.</summary>
    /// <param name="arguments">Its command line.</param>
    /// <exception cref="InvalidOperationException">It failed.</exception>
    public static double[] Numbers(IEnumerable<string> arguments)
    {
        // Of this process, the path would be dotnet's where it was started as "dotnet Benchmarks.dll".
        var program = Path.ChangeExtension(typeof(ChildRun).Assembly.Location, OperatingSystem.IsWindows() ? ".exe" : null);
        string[] all = [.. arguments];
        using var process = Process.Start(new ProcessStartInfo(program, all) { RedirectStandardOutput = true })!;
        var output = process.StandardOutput.ReadToEnd();
        process.WaitForExit();
        return process.ExitCode == 0
            ? Array.ConvertAll(output.Split(' '), number => double.Parse(number, CultureInfo.InvariantCulture))
            : throw new InvalidOperationException($"The process of '{string.Join(' ', all)}' ended with {process.ExitCode}.");
    }

    /// <summary>Writes numbers as <see cref="Numbers"/> reads them.</summary>
    public static void Write(params double[] numbers) =>
        Console.WriteLine(string.Join(' ', numbers.Select(number => number.ToString("R", CultureInfo.InvariantCulture))));
}
