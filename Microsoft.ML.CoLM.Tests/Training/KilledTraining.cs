using System.Diagnostics;
using System.Globalization;
using Microsoft.ML.CoLM.Tests.Estimators;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>A training in a process of its own, to be killed and started again.</summary>
internal sealed class KilledTraining : IDisposable
{
    public const string Expansion = "expansion";
    public const string Tuning = "tuning";

    public const int Steps = 240;
    public const int Interval = 3;

    private readonly Process _process;

    /// <summary>Starts the process.</summary>
    public KilledTraining(string kind, string checkpointFolder, string weightsFile)
    {
        var program = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        _process = Process.Start(new ProcessStartInfo(
            program, [typeof(KilledTraining).Assembly.Location, kind, checkpointFolder, weightsFile])
        {
            RedirectStandardOutput = true,
            // Whoever lives for a moment has no use for code that is optimized.
            Environment = { ["DOTNET_TieredCompilation"] = "1", ["DOTNET_TieredPGO"] = "0" },
        })!;
    }

    /// <summary>The first step that the process reported; null before that.</summary>
    public int? FirstStep { get; private set; }

    /// <summary>The last step that it reported; 0 before that.</summary>
    public int LastStep { get; private set; }

    /// <summary>What the process does: train, report its steps, and at the end write the weights.</summary>
    public static void Train(string kind, string checkpointFolder, string weightsFile)
    {
        using var output = Console.OpenStandardOutput();
        using var writer = new StreamWriter(output) { AutoFlush = true };
        var progress = new Recorder(progress => writer.WriteLine(progress.Step));
        File.WriteAllBytes(weightsFile, Fit(kind, checkpointFolder, progress));
    }

    /// <summary>The weights after the same training without checkpoints.</summary>
    public static byte[] TrainUninterrupted(string kind) => Fit(kind, checkpointFolder: null, progress: null);

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

    private static byte[] Fit(string kind, string? checkpointFolder, Recorder? progress) =>
        kind == Tuning ? Tune(checkpointFolder, progress) : Expand(checkpointFolder, progress);

    private static byte[] Expand(string? checkpointFolder, Recorder? progress)
    {
        var mlContext = new MLContext();
        var options = Estimators.Expansion.FromNothing(Steps, 4, 4);
        options.ValidationSet = mlContext.Rows(Estimators.Expansion.Corpus[..2]);
        Prepare(options, checkpointFolder, progress);
        using var fitted = mlContext.Fit(options);
        return Bytes(fitted.Model);
    }

    // With dropout, whose random numbers go on with the training, and with features of the frozen chain that are kept.
    private static byte[] Tune(string? checkpointFolder, Recorder? progress)
    {
        var mlContext = new MLContext();
        using var model = TextModels.Random(4, 4);
        using var source = mlContext.Scorer(model);
        var options = Estimators.Tuning.Steps(source, Steps);
        (options.ValidationSet, options.Lora) = (mlContext.Keyed(), new LoraOptions { Rank = 2, Dropout = 0.2 });
        Prepare(options, checkpointFolder, progress);
        using var fitted = mlContext.Tune(options);
        return [.. Bytes(fitted.Model.Adapters!), .. Bytes(fitted.Head())];
    }

    private static void Prepare(TrainingOptions options, string? checkpointFolder, Recorder? progress)
    {
        (options.CheckpointFolder, options.ResumeFrom, options.CheckpointInterval) =
            (checkpointFolder, checkpointFolder, Interval);
        (options.ValidationInterval, options.RestoreBest, options.Progress) = (20, true, progress);
    }

    private static byte[] Bytes(nn.Module module) =>
        [.. module.parameters().SelectMany(parameter => parameter.detach().bytes.ToArray())];
}
