using System.Diagnostics;
using System.Globalization;
using Microsoft.ML;
using Microsoft.ML.CoLM;
using Spectre.Console;

namespace Benchmarks;

/// <summary>
/// Peak memory of saving and loading a model's zip, above its weights. Each is measured in a process of its own, by the
/// peak that Linux keeps.
/// </summary>
internal static class ZipMemory
{
    /// <summary>Runs both processes and prints what they found.</summary>
    public static void Run(int megabytes)
    {
        var folder = Directory.CreateTempSubdirectory("colm-load-");
        try
        {
            var zip = Path.Combine(folder.FullName, "model.zip");
            var saved = Child("save", zip, megabytes);
            var loaded = Child("load", zip, megabytes);
            AnsiConsole.Write(new Table()
                .AddColumns("Way", "Weights, MiB", "Peak above them, MiB", "Share")
                .AddRow("Save", $"{saved.Weights:F0}", $"{saved.Above:F0}", $"{saved.Above / saved.Weights:P1}")
                .AddRow("Load", $"{loaded.Weights:F0}", $"{loaded.Above:F0}", $"{loaded.Above / loaded.Weights:P1}"));
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    /// <summary>What a child process does; prints the weights' size and the peak above them.</summary>
    public static void RunChild(string way, string zip, int megabytes)
    {
        var mlContext = new MLContext(seed: 1);
        Create(mlContext, megabytes: 1).Dispose(); // libtorch and ML.NET are in memory now
        double weights, above;
        if (way == "save")
        {
            using var transformer = Create(mlContext, megabytes);
            weights = Weights(transformer.Model);
            var before = ResetPeak();
            mlContext.Model.Save(transformer, inputSchema: null, zip);
            above = Peak() - before;
        }
        else
        {
            var before = ResetPeak();
            using var transformer = (ElasticScoringTransformer)mlContext.Model.Load(zip, out _);
            weights = Weights(transformer.Model);
            above = Peak() - before - weights;
        }
        Console.WriteLine(FormattableString.Invariant($"{weights} {above}"));
    }

    private static ElasticScoringTransformer Create(MLContext mlContext, int megabytes)
    {
        // 4 layers of width D with feed-forward width 4 D: 4 (4 D² + 12 D²) floats; the vocabulary adds little.
        var width = (int)Math.Sqrt(megabytes * 1048576.0 / sizeof(float) / 64) / 16 * 16;
        return mlContext.Transforms.ChainExpansion(new ChainExpansionEstimator.Options
        {
            Architecture = new CoLMConfig
            {
                Layout = new ChainLayout(width / 16),
                VocabularySize = 258,
                HiddenSize = width,
                IntermediateSize = 4 * width,
                LayerCount = 4,
            },
            MaxSteps = 0,
        }).Fit(mlContext.Data.LoadFromEnumerable(Texts.Rows(1, 10)));
    }

    private static (double Weights, double Above) Child(string way, string zip, int megabytes)
    {
        using var process = Process.Start(new ProcessStartInfo(
            Environment.ProcessPath!, ["load-child", way, zip, $"{megabytes}"])
        { RedirectStandardOutput = true })!;
        var numbers = process.StandardOutput.ReadToEnd().Split(' ');
        process.WaitForExit();
        if (process.ExitCode != 0)
            throw new InvalidOperationException($"The process that was to {way} the model ended with {process.ExitCode}.");
        return (Number(numbers[0]), Number(numbers[1]));
    }

    private static double Weights(CoLMModel model) =>
        model.ParameterCount(model.Config.Layout.ChainCount) * sizeof(float) / 1048576.0;

    // Linux forgets the peak when 5 is written here; what is resident then is returned, in MiB.
    private static double ResetPeak()
    {
        File.WriteAllText("/proc/self/clear_refs", "5");
        return Status("VmRSS");
    }

    private static double Peak() => Status("VmHWM");

    private static double Status(string name) => Number(File.ReadLines("/proc/self/status")
        .First(line => line.StartsWith(name, StringComparison.Ordinal))
        .Split(' ', StringSplitOptions.RemoveEmptyEntries)[1]) / 1024;

    private static double Number(string text) => double.Parse(text, CultureInfo.InvariantCulture);
}
