using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.CoLM.Tests.Estimators;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>A training in a process of its own, to be killed and started again.</summary>
internal sealed class KilledTraining : IDisposable
{
    public const int Steps = 240;
    public const int Interval = 3;

    private readonly Process _process;

    /// <summary>Starts the process.</summary>
    public KilledTraining(string checkpointFolder, string weightsFile)
    {
        var program = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        _process = Process.Start(new ProcessStartInfo(
            program, [typeof(KilledTraining).Assembly.Location, checkpointFolder, weightsFile])
        {
            RedirectStandardOutput = true,
        })!;
    }

    /// <summary>The first step that the process reported; null before that.</summary>
    public int? FirstStep { get; private set; }

    /// <summary>The last step that it reported; 0 before that.</summary>
    public int LastStep { get; private set; }

    /// <summary>What the process does: train, report its steps, and at the end write the weights.</summary>
    public static void Train(string checkpointFolder, string weightsFile)
    {
        using var output = Console.OpenStandardOutput();
        using var writer = new StreamWriter(output) { AutoFlush = true };
        var options = Options(checkpointFolder);
        options.Progress = new Recorder(progress => writer.WriteLine(progress.Step));
        File.WriteAllBytes(weightsFile, Fit(options));
    }

    /// <summary>The weights after the same training without checkpoints.</summary>
    public static byte[] TrainUninterrupted() => Fit(Options(checkpointFolder: null));

    /// <summary>Waits until a step is done; false if the process ended before.</summary>
    public bool WaitForStep(int step)
    {
        while (LastStep < step)
        {
            if (_process.StandardOutput.ReadLine() is not { } line)
                return false;
            LastStep = int.Parse(line, CultureInfo.InvariantCulture);
            FirstStep ??= LastStep;
        }
        return true;
    }

    /// <summary>Kills the process as <c>kill -9</c> does.</summary>
    public void Kill()
    {
        _process.Kill();
        WaitForEnd();
    }

    /// <returns>The exit code.</returns>
    public int WaitForEnd()
    {
        WaitForStep(int.MaxValue);
        _process.WaitForExit();
        return _process.ExitCode;
    }

    public void Dispose() => _process.Dispose();

    private static byte[] Fit(ChainExpansionEstimator.Options options)
    {
        var mlContext = new MLContext();
        (options.ValidationSet, options.ValidationInterval, options.RestoreBest) =
            (mlContext.Rows(Expansion.Corpus[..2]), 20, true);
        using var fitted = mlContext.Fit(options);
        return [.. fitted.Model.parameters().SelectMany(parameter => parameter.bytes.ToArray())];
    }

    private static ChainExpansionEstimator.Options Options(string? checkpointFolder)
    {
        var options = Expansion.FromNothing(Steps, 4, 4);
        (options.CheckpointFolder, options.ResumeFrom, options.CheckpointInterval) =
            (checkpointFolder, checkpointFolder, Interval);
        return options;
    }
}
