using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Tests.Interop;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>Runs a test of this assembly again as the ranks of an MPI job, one thread each.</summary>
internal static class MpiRanks
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private static readonly Lazy<string?> Launcher = new(static () =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Select(folder => Path.Combine(folder, "mpirun")).FirstOrDefault(File.Exists));

    /// <summary>Runs the calling test as so many ranks, which must all end well.</summary>
    public static void RunTest(TestContext test, int ranks, params string[] values)
    {
        using var job = Start(test, ranks, values, variables: null);
        var (code, output) = job.WaitForEnd();
        test.WriteLine(output);
        Assert.AreEqual(0, code, output);
    }

    /// <summary>Starts the calling test as so many ranks.</summary>
    /// <param name="test">The test.</param>
    /// <param name="ranks">How many.</param>
    /// <param name="values">The values of the test's parameters in the ranks.</param>
    /// <param name="variables">Environment variables of the ranks.</param>
    public static Job Start(TestContext test, int ranks, string[] values, Dictionary<string, string>? variables = null)
    {
        var start = new ProcessStartInfo(RequireLauncher(),
            ["-n", $"{ranks}", "--oversubscribe", "--bind-to", "none", Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
             typeof(MpiRanks).Assembly.Location, FreshProcess.Kind, test.FullyQualifiedTestClassName!, test.TestName!, .. values])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment =
            {
                ["OMP_NUM_THREADS"] = "1",
                // mpirun gives ranks a terminal, which .NET would greet with control characters.
                ["TERM"] = "dumb",
                ["OMPI_ALLOW_RUN_AS_ROOT"] = "1",
                ["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1",
                // Whoever lives for a moment has no use for code that is optimized.
                ["DOTNET_TieredCompilation"] = "1",
                ["DOTNET_TieredPGO"] = "0",
            },
        };
        foreach (var (variable, value) in variables ?? [])
            start.Environment[variable] = value;
        return new Job(Process.Start(start)!);
    }

    /// <summary>The path of mpirun; skips the test where there is none.</summary>
    public static string RequireLauncher() => Launcher.Value ?? throw new AssertInconclusiveException(
        "No mpirun is on this machine: install openmpi-bin to run several ranks.");

    /// <summary>In a rank: tells the test which process it is, to be killed or stopped.</summary>
    public static void TellProcess(Communicator communicator) => Tell($"rank {communicator.Rank} is process {Environment.ProcessId}");

    /// <summary>In a rank: a line that the test waits for.</summary>
    public static void Tell(string line)
    {
        Console.Out.WriteLine(line);
        Console.Out.Flush();
    }

    /// <summary>A job of several ranks.</summary>
    internal sealed class Job : IDisposable
    {
        private readonly Process _process;
        private readonly BlockingCollection<string> _lines = [];
        private readonly ConcurrentQueue<string> _all = new();

        public Job(Process process)
        {
            _process = process;
            process.ErrorDataReceived += (_, line) => _all.Enqueue(line.Data ?? "");
            process.OutputDataReceived += (_, line) =>
            {
                if (line.Data is not { } text)
                {
                    _lines.CompleteAdding();
                    return;
                }
                _all.Enqueue(text);
                _lines.Add(text);
            };
            process.BeginErrorReadLine();
            process.BeginOutputReadLine();
        }

        /// <summary>Everything that was written so far.</summary>
        public string Output => string.Join('\n', _all);

        /// <summary>Waits for a line of a rank, and returns what follows its beginning; null if the job ended without it.</summary>
        public string? WaitFor(string beginning)
        {
            var start = Stopwatch.GetTimestamp();
            while (Stopwatch.GetElapsedTime(start) < Patience && _lines.TryTake(out var line, Patience))
            {
                if (line.StartsWith(beginning, StringComparison.Ordinal))
                    return line[beginning.Length..];
            }
            return _lines.IsCompleted ? null : throw new AssertFailedException($"The ranks did not write '{beginning}'. {Output}");
        }

        /// <summary>The processes of the ranks, as they told them, in any order.</summary>
        public int[] Processes(int ranks)
        {
            var found = new int[ranks];
            for (var i = 0; i < ranks; i++)
            {
                var words = WaitFor("rank ")?.Split(' ') ?? throw new AssertFailedException(Output);
                found[int.Parse(words[0], CultureInfo.InvariantCulture)] = int.Parse(words[^1], CultureInfo.InvariantCulture);
            }
            return found;
        }

        /// <summary>The exit code and everything that was written, once all ranks have ended.</summary>
        public (int ExitCode, string Output) WaitForEnd()
        {
            if (!_process.WaitForExit(Patience))
            {
                _process.Kill(entireProcessTree: true);
                Assert.Fail($"The ranks did not end. {Output}");
            }
            _process.WaitForExit(); // for the last lines, too
            return (_process.ExitCode, Output);
        }

        public void Dispose()
        {
            if (!_process.HasExited)
                _process.Kill(entireProcessTree: true);
            _process.Dispose();
            _lines.Dispose();
        }
    }

    /// <summary>Signals of Linux.</summary>
    internal static class Signal
    {
        public const int Kill = 9;
        public const int Stop = 19;

        public static void Send(int process, int signal) => Assert.AreEqual(0, SendSignal(process, signal));

        [DllImport("libc", EntryPoint = "kill")]
        private static extern int SendSignal(int process, int signal);
    }
}
