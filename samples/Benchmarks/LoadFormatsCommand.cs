using System.CommandLine;
using System.Diagnostics;
using Microsoft.ML.CoLM;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>
/// A folder in every weight format: its size, what it takes in memory and while it is loaded, and what quantising it while
/// loading takes. Each is measured in a process of its own.
/// </summary>
internal sealed class LoadFormatsCommand : Benchmark
{
    private static readonly string[] Names = ["as stored", "int8", "int4"];

    private readonly ModelOptions _model = new();

    // The command runs itself with these: loads a folder, in a format, and saves it to another one where that is given.
    private readonly Option<string> _child = new Option<string>("--child") { Hidden = true }.AcceptOnlyFromAmong(Names);
    private readonly Option<string> _from = new("--from") { Hidden = true };
    private readonly Option<string> _to = new("--to") { Hidden = true };

    public LoadFormatsCommand() : base("load-formats", "A folder in every weight format: size, memory, and peak while it is loaded (Linux).")
    {
        Offer([.. _model.All, _child, _from, _to]);
        Validators.Add(_model.Validate);
    }

    protected override Report? Measure(ParseResult result)
    {
        if (result.GetValue(_child) is { } format)
        {
            RunChild(format, result.GetRequiredValue(_from), result.GetValue(_to));
            return null;
        }
        var folder = Directory.CreateTempSubdirectory("colm-formats-");
        try
        {
            var stored = Path.Combine(folder.FullName, "stored");
            using (var model = _model.Create(result, CPU))
                model.Save(stored);
            var report = new Report("A folder in every format", new Dictionary<string, object>
            {
                ["model"] = result.GetValue(_model.Model)?.FullName ?? $"random {result.GetValue(_model.Shape)}",
                ["dtype"] = result.GetRequiredValue(_model.DataType),
            });
            foreach (var name in Names)
                AddFormat(report, name, stored, Path.Combine(folder.FullName, "saved"));
            return report;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private void AddFormat(Report report, string name, string stored, string saved)
    {
        var quantising = Start(name, stored, saved);
        var loading = Start(Names[0], saved, to: null);
        var file = Directory.GetFiles(saved).Sum(path => new FileInfo(path).Length) / (double)(1 << 20);
        var basis = new Samples([loading.Weights]);
        report.Add($"{name}: file", new Samples([file]), "MiB", basis);
        report.Add($"{name}: weights in memory", basis, "MiB", basis);
        report.Add($"{name}: peak while loading", new Samples([loading.Peak]), "MiB", basis);
        report.Add($"{name}: loading", new Samples([loading.Seconds]), "s");
        if (name == Names[0])
            return;
        report.Add($"{name}: peak while quantising what is stored", new Samples([quantising.Peak]), "MiB", basis);
        report.Add($"{name}: quantising", new Samples([quantising.Seconds]), "s");
    }

    private (double Weights, double Peak, double Seconds) Start(string format, string from, string? to)
    {
        var numbers = ChildRun.Numbers(
            [Name, _child.Name, format, _from.Name, from, .. to is null ? Array.Empty<string>() : [_to.Name, to]]);
        return (numbers[0], numbers[1], numbers[2]);
    }

    // Code, and libtorch's own memory, are there now.
    private static void WarmUp(string format)
    {
        var folder = Directory.CreateTempSubdirectory("colm-small-");
        using (var small = CoLMModel.Create(ModelShape.All.Single(shape => shape.Name == "tiny").Config(layout: null, null, kvSharing: true)))
            small.Save(folder.FullName);
        using (Load(format, folder.FullName))
            folder.Delete(recursive: true);
    }

    private static CoLMModel Load(string format, string folder) => format == Names[0]
        ? CoLMModel.Load(folder)
        : CoLMModel.LoadQuantized(folder, [Enum.Parse<WeightFormat>(format, ignoreCase: true)]);

    // Prints the weights' size, the peak above what was there before, and the time.
    private static void RunChild(string format, string from, string? to)
    {
        WarmUp(format);
        var before = ResidentMemory.ResetPeak();
        var start = Stopwatch.GetTimestamp();
        using var model = Load(format, from);
        var (peak, time) = (ResidentMemory.Peak() - before, Stopwatch.GetElapsedTime(start));
        if (to is not null)
            model.Save(to);
        ChildRun.Write(model.SizeInBytes(model.ChainCount) / (double)(1 << 20), peak, time.TotalSeconds);
    }
}
