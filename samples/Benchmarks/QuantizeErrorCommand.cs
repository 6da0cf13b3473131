using System.CommandLine;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>
/// What quantising changes of weights, normally distributed ones or a model's: this library's formats, and others of four bits
/// for comparison.
/// </summary>
internal sealed class QuantizeErrorCommand : Benchmark
{
    private const int Groups = 1 << 14;
    private const int MostGroups = 1 << 16;
    private const int FitRounds = 25;

    private readonly Option<DirectoryInfo> _model = new Option<DirectoryInfo>("--model")
    {
        Description = "LLaMA or CoLM folder whose matrices to quantise; without it, normally distributed weights",
        HelpName = "FOLDER",
    }.AcceptExistingOnly();
    private readonly Option<bool> _fit = new("--fit")
    {
        Description = "finds a code book of least error, with zero among its numbers, from even spacing on",
    };

    public QuantizeErrorCommand() : base("quantize-error", "What quantising changes of weights, in this library's formats and in others.") =>
        Offer(_model, _fit);

    protected override Report Measure(ParseResult result)
    {
        var weights = result.GetValue(_model) is { } folder ? OfModel(folder.FullName) : Normal();
        var report = new Report("Root of the mean square of what quantising changes, over that of the weights",
            new Dictionary<string, object> { ["weights"] = result.GetValue(_model)?.FullName ?? "normally distributed", ["count"] = weights.Length });
        foreach (var format in Enum.GetValues<WeightFormat>())
            report.AddRatio($"{format}", Error(weights, format));
        report.AddRatio("16 evenly spaced numbers", CodeBook.Even().Error(weights));
        report.AddRatio("16 evenly spaced numbers with an offset, 5 bits", OffsetGroups.Error(weights));
        if (result.GetValue(_fit))
        {
            var fitted = CodeBook.Even().Fitted(weights, FitRounds);
            report.AddRatio($"fitted: {fitted}", fitted.Error(weights));
        }
        return report;
    }

    private static double Error(float[] weights, WeightFormat format)
    {
        using var scope = NewDisposeScope();
        var rows = weights.Length / PackedWeight.GroupWidth;
        using var packed = new PackedParameters(rows, PackedWeight.GroupWidth, format, CPU);
        var before = tensor(weights).view(rows, PackedWeight.GroupWidth);
        packed.Pack(before, 0, "weights");
        return (packed.View().Widened(float32) - before).norm().item<float>() / before.norm().item<float>();
    }

    private static float[] Normal()
    {
        using var generator = new Generator(1);
        using var numbers = randn(Groups * PackedWeight.GroupWidth, generator: generator);
        return numbers.data<float>().ToArray();
    }

    private static float[] OfModel(string folder)
    {
        using var model = CoLMModel.Load(folder, dtype: float32);
        return [.. model.ChainParameters().Where(entry => entry.parameter.dim() == 2)
            .SelectMany(entry => entry.parameter.detach().reshape(-1).data<float>().ToArray().Chunk(PackedWeight.GroupWidth))
            .Where(group => group.Length == PackedWeight.GroupWidth).Take(MostGroups).SelectMany(group => group)];
    }
}
