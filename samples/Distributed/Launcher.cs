using System.Diagnostics;
using System.Globalization;

namespace DistributedSample;

/// <summary>Starts this program again as the ranks of a job on this machine.</summary>
internal static class Launcher
{
    private static readonly string[] SizeVariables = ["OMPI_COMM_WORLD_SIZE", "PMI_SIZE", "PMIX_RANK"];

    /// <summary>Whether a launcher of MPI started this process: then it is a rank.</summary>
    public static bool IsRank => Array.Exists(SizeVariables, name => Environment.GetEnvironmentVariable(name) is not null);

    /// <summary>Runs the ranks, and ends them if it is cancelled.</summary>
    /// <param name="ranks">How many.</param>
    /// <param name="arguments">The arguments of each.</param>
    /// <param name="cancellation">Ends them.</param>
    /// <exception cref="FileNotFoundException">There is no mpirun.</exception>
    /// <exception cref="InvalidOperationException">The ranks ended with an error, which they have told.</exception>
    public static void Run(int ranks, IEnumerable<string> arguments, CancellationToken cancellation)
    {
        var threads = Math.Max(1, Environment.ProcessorCount / ranks);
        string[] root = Environment.IsPrivilegedProcess ? ["--allow-run-as-root"] : [];
        var start = new ProcessStartInfo(FindLauncher(),
            ["-n", ranks.ToString(CultureInfo.InvariantCulture), "--oversubscribe", "--bind-to", "none", .. root, .. Program(), .. arguments]);
        start.Environment["OMP_NUM_THREADS"] = threads.ToString(CultureInfo.InvariantCulture);
        // mpirun gives ranks a terminal, which .NET would greet with control characters.
        start.Environment["TERM"] = "dumb";
        Console.WriteLine($"Starts {ranks} ranks of {threads} threads each: {start.FileName} {string.Join(' ', start.ArgumentList)}");
        using var job = Process.Start(start)!;
        using var stop = cancellation.Register(() => job.Kill(entireProcessTree: true));
        job.WaitForExit();
        cancellation.ThrowIfCancellationRequested();
        if (job.ExitCode != 0)
            throw new InvalidOperationException($"The ranks ended with exit code {job.ExitCode}.");
    }

    private static string FindLauncher() => (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
        .Select(folder => Path.Combine(folder, "mpirun")).FirstOrDefault(File.Exists)
        ?? throw new FileNotFoundException("There is no mpirun in PATH: install Open MPI, on Debian and Ubuntu the package openmpi-bin.");

    // The program as it was started: by its own name, or as a library that dotnet runs.
    private static string[] Program()
    {
        var path = Environment.ProcessPath!;
        return Path.GetFileNameWithoutExtension(path) == "dotnet" ? [path, Environment.GetCommandLineArgs()[0]] : [path];
    }
}
