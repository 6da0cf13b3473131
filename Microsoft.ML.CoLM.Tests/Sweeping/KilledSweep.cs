using System.Diagnostics;
using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>A sweep in a process of its own, to be killed and started again.</summary>
internal sealed class KilledSweep : IDisposable
{
    /// <summary>What tells the program which process it is to be.</summary>
    public const string Kind = "sweep";

    public const int Candidates = 12;

    private readonly Process _process;

    /// <summary>Starts the process.</summary>
    public KilledSweep(string folder)
    {
        var program = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        _process = Process.Start(new ProcessStartInfo(program, [typeof(KilledSweep).Assembly.Location, Kind, folder])
        {
            RedirectStandardOutput = true,
        })!;
    }

    /// <summary>What the process does: tell that it begins, and then of every trial.</summary>
    public static void Sweep(string folder)
    {
        using var writer = new StreamWriter(Console.OpenStandardOutput()) { AutoFlush = true };
        writer.WriteLine("begins");
        Run(folder, new TrialRecorder(trial => writer.WriteLine(Sweeps.Describe(trial)))).DisposeModels();
    }

    /// <summary>The sweep.</summary>
    public static ChainSweepResult Run(string? folder, IProgress<ChainTrial>? monitor = null)
    {
        var mlContext = new MLContext(seed: 1);
        using var model = TextModels.Random(4, 4);
        using var source = mlContext.Scorer(model);
        var sweep = mlContext.Over(new SweepSpace().Range("rate", 1e-3, 1e-1, logBase: true),
            settings => mlContext.Tuning(source, settings.Get<double>("rate"), steps: 8))
            .SetMetric(SweepMetric.LogLoss).SetRandomSearch(3).SetMaxModelToExplore(Candidates);
        if (folder is not null)
            sweep.SetCheckpoint(folder);
        if (monitor is not null)
            sweep.SetMonitor(monitor);
        return sweep.Run();
    }

    /// <summary>What the process says next; null when it has ended.</summary>
    public string? ReadLine() => _process.StandardOutput.ReadLine();

    /// <summary>Kills the process as <c>kill -9</c> does.</summary>
    /// <returns>What it said until then.</returns>
    public string[] Kill()
    {
        _process.Kill();
        return WaitForEnd();
    }

    /// <returns>What it said.</returns>
    public string[] WaitForEnd()
    {
        List<string> lines = [];
        while (ReadLine() is { } line)
            lines.Add(line);
        _process.WaitForExit();
        return [.. lines];
    }

    public int ExitCode => _process.ExitCode;

    public void Dispose() => _process.Dispose();
}
