using System.Diagnostics;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>A process that saves a zip over and over, to be killed.</summary>
internal sealed class KilledSave : IDisposable
{
    /// <summary>What tells the program which process it is to be.</summary>
    public const string Kind = "save";

    private readonly Process _process;

    /// <summary>Starts the process.</summary>
    public KilledSave(string path)
    {
        var program = Environment.GetEnvironmentVariable("DOTNET_HOST_PATH") ?? "dotnet";
        _process = Process.Start(new ProcessStartInfo(program, [typeof(KilledSave).Assembly.Location, Kind, path])
        {
            RedirectStandardOutput = true,
        })!;
    }

    /// <summary>What the process does.</summary>
    public static void Save(string path)
    {
        var mlContext = new MLContext();
        using var model = TextModels.Random(TextModels.Config(4, 4) with { HiddenSize = 128, IntermediateSize = 512 }, seed: 2);
        using var transformer = mlContext.Scorer(model);
        Console.WriteLine();
        while (true)
            mlContext.CoLM().Save(transformer, null, path);
    }

    /// <summary>Waits until it begins to save.</summary>
    public void WaitForStart() => Assert.IsNotNull(_process.StandardOutput.ReadLine());

    /// <summary>Kills the process as <c>kill -9</c> does.</summary>
    public void Kill()
    {
        _process.Kill();
        _process.WaitForExit();
    }

    public void Dispose() => _process.Dispose();
}
