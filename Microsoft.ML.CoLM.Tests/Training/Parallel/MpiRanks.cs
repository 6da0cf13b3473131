using System.Diagnostics;
using Microsoft.ML.CoLM.Tests.Interop;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>Runs a test of this assembly again as the ranks of an MPI job, one thread each.</summary>
internal static class MpiRanks
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(3);

    private static readonly Lazy<string?> Launcher = new(static () =>
        (Environment.GetEnvironmentVariable("PATH") ?? "").Split(Path.PathSeparator)
            .Select(folder => Path.Combine(folder, "mpirun")).FirstOrDefault(File.Exists));

    /// <summary>Runs the calling test as so many ranks, which must all end well.</summary>
    public static void RunTest(TestContext test, int ranks, params string[] values)
    {
        using var job = Start(test, ranks, values);
        var (code, output) = job.WaitForEnd();
        test.WriteLine(output);
        Assert.AreEqual(0, code, output);
    }

    /// <summary>Starts the calling test as so many ranks.</summary>
    /// <param name="test">The test.</param>
    /// <param name="ranks">How many.</param>
    /// <param name="values">The values of the test's parameters in the ranks.</param>
    public static Job Start(TestContext test, int ranks, params string[] values)
    {
        if (Launcher.Value is not { } launcher)
            throw new AssertInconclusiveException("No mpirun is on this machine: install openmpi-bin to run several ranks.");
        var start = new ProcessStartInfo(launcher,
            ["-n", $"{ranks}", "--oversubscribe", "--bind-to", "none", Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet",
             typeof(MpiRanks).Assembly.Location, FreshProcess.Kind, test.FullyQualifiedTestClassName!, test.TestName!, .. values])
        {
            RedirectStandardOutput = true,
            RedirectStandardError = true,
            Environment =
            {
                ["OMP_NUM_THREADS"] = "1",
                ["OMPI_ALLOW_RUN_AS_ROOT"] = "1",
                ["OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"] = "1",
                // Whoever lives for a moment has no use for code that is optimized.
                ["DOTNET_TieredCompilation"] = "1",
                ["DOTNET_TieredPGO"] = "0",
            },
        };
        return new Job(Process.Start(start)!);
    }

    /// <summary>A job of several ranks.</summary>
    internal sealed class Job(Process process) : IDisposable
    {
        private readonly Task<string> _output = process.StandardOutput.ReadToEndAsync();
        private readonly Task<string> _errors = process.StandardError.ReadToEndAsync();

        /// <summary>The exit code and everything that was written, once all ranks have ended.</summary>
        public (int ExitCode, string Output) WaitForEnd()
        {
            if (!process.WaitForExit(Patience))
            {
                process.Kill(entireProcessTree: true);
                Assert.Fail($"The ranks did not end. {_output.Result} {_errors.Result}");
            }
            return (process.ExitCode, _output.Result + _errors.Result);
        }

        public void Dispose()
        {
            if (!process.HasExited)
                process.Kill(entireProcessTree: true);
            process.Dispose();
        }
    }
}
