using System.Diagnostics;
using System.Globalization;
using System.Text.Json;

namespace Benchmarks;

/// <summary>Runs this program's own command again: in another process, or as the ranks of an MPI job.</summary>
internal static class RankProcesses
{
    private const string Json = "--json";

    private static readonly string[] SizeVariables = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE"];

    /// <summary>Whether an MPI launcher started this process.</summary>
    public static bool AreThese => Array.Exists(SizeVariables, name => Environment.GetEnvironmentVariable(name) is not null);

    /// <summary>Runs the command that runs now, with further arguments, and reads the figures that it writes.</summary>
    /// <param name="ranks">How many ranks; 0 for a process without MPI.</param>
    /// <param name="threads">Threads of each.</param>
    /// <param name="arguments">Further arguments.</param>
    /// <returns>The median of every row, by its name.</returns>
    /// <exception cref="InvalidOperationException">It failed, or there is no mpirun.</exception>
    public static Dictionary<string, double> Measure(int ranks, int threads, params IEnumerable<string> arguments)
    {
        var file = Path.GetTempFileName();
        try
        {
            string[] own = [.. Program(), .. OwnArguments(), .. arguments, Json, file];
            string[] root = Environment.IsPrivilegedProcess ? ["--allow-run-as-root"] : [];
            string[] all = ranks == 0 ? own
                : ["mpirun", "-n", ranks.ToString(CultureInfo.InvariantCulture), "--bind-to", "core", .. root, .. own];
            Run(all, threads);
            using var report = JsonDocument.Parse(File.ReadAllBytes(file));
            return report.RootElement.GetProperty("rows").EnumerateArray().ToDictionary(
                row => row.GetProperty("name").GetString()!, row => row.GetProperty("value").GetProperty("median").GetDouble());
        }
        finally
        {
            File.Delete(file);
        }
    }

    /// <summary>The same of several processes without MPI at once, which know nothing of each other.</summary>
    /// <param name="count">How many, of one thread each.</param>
    /// <param name="arguments">Further arguments.</param>
    /// <returns>The mean of their medians of every row, by its name.</returns>
    public static Dictionary<string, double> MeasureSideBySide(int count, params string[] arguments)
    {
        Task<Dictionary<string, double>>[] all =
            [.. Enumerable.Range(0, count).Select(_ => Task.Run(() => Measure(ranks: 0, threads: 1, arguments)))];
        return all.SelectMany(task => task.GetAwaiter().GetResult()).GroupBy(row => row.Key)
            .ToDictionary(row => row.Key, row => row.Average(value => value.Value));
    }

    // Without the file that this process itself writes.
    private static IEnumerable<string> OwnArguments()
    {
        List<string> arguments = [.. Environment.GetCommandLineArgs().Skip(1)];
        if (arguments.IndexOf(Json) is >= 0 and var place)
            arguments.RemoveRange(place, Math.Min(2, arguments.Count - place));
        return arguments;
    }

    private static void Run(string[] command, int threads)
    {
        var start = new ProcessStartInfo(command[0], command[1..]) { RedirectStandardOutput = true, RedirectStandardError = true };
        // A run is short: what is compiled beside it, once more and better, would take a core from the ranks.
        start.Environment["DOTNET_TieredCompilation"] = "0";
        start.Environment["OMP_NUM_THREADS"] = threads.ToString(CultureInfo.InvariantCulture);
        try
        {
            using var process = Process.Start(start)!;
            var errors = process.StandardError.ReadToEndAsync();
            process.StandardOutput.ReadToEnd();
            process.WaitForExit();
            if (process.ExitCode != 0)
                throw new InvalidOperationException($"{command[0]} ended with exit code {process.ExitCode}. {errors.Result}");
        }
        catch (System.ComponentModel.Win32Exception e)
        {
            throw new InvalidOperationException($"{command[0]} cannot be started ({e.Message}); mpirun is in the package openmpi-bin.", e);
        }
    }

    private static string[] Program()
    {
        var path = Environment.ProcessPath!;
        return Path.GetFileNameWithoutExtension(path) == "dotnet" ? [path, Environment.GetCommandLineArgs()[0]] : [path];
    }
}
