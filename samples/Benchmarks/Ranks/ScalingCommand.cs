using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using ScottPlot;

namespace Benchmarks;

/// <summary>A data-parallel step at 1 to 64 ranks, on paper, from what rank-step and exchange measured; a table and a chart.</summary>
internal sealed class ScalingCommand : Benchmark
{
    private const int ChartWidth = 1200;
    private const int ChartHeight = 420;

    private static readonly int[] Ranks = [1, 2, 4, 8, 16, 32, 64];
    private static readonly double[] Gigabits = [1, 10, 100];

    private static readonly Color[] Colors =
        [.. new[] { "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9" }.Select(Color.FromHex)];

    private readonly Option<string[]> _measured = new("--measured")
    {
        Description = "what rank-step wrote with --json, a NAME=FILE for each model",
        HelpName = "NAME=FILE ...",
        AllowMultipleArgumentsPerToken = true,
        Required = true,
    };

    private readonly Option<double> _delay = new("--delay")
    {
        Description = "a link's delay, one way, in milliseconds",
        DefaultValueFactory = _ => 0.05,
    };

    private readonly Option<double> _copy = new("--copy")
    {
        Description = "milliseconds that a megabyte of an exchange takes without a link, as exchange measures it",
        Required = true,
    };

    private readonly Option<double> _share = new("--share")
    {
        Description = "the share of a link's rate that an exchange reaches, as exchange measures it behind link",
        DefaultValueFactory = _ => 1,
    };

    private readonly Option<FileInfo> _chart = new("--chart") { Description = "chart to write, as PNG", HelpName = "FILE" };

    public ScalingCommand() : base("scaling", "A data-parallel step at 1 to 64 ranks, on paper, from measured parts.") =>
        Offer(_measured, _delay, _copy, _share, _chart);

    protected override Report Measure(ParseResult result)
    {
        var (delay, copy, share) = (result.GetValue(_delay), result.GetValue(_copy), result.GetValue(_share));
        var models = result.GetRequiredValue(_measured).SelectMany(Read).ToArray();
        var report = new Report("Efficiency of weak scaling: one rank's step by its step among so many", new Dictionary<string, object>
        {
            ["delay"] = $"{delay} ms",
            ["copies"] = $"{copy} ms/MB",
            ["share"] = share,
        });
        foreach (var (name, model) in models)
        {
            foreach (var gigabits in Gigabits)
            {
                report.Add($"{name}, {gigabits} Gbit/s", new Samples([model.StepMilliseconds]), values: Ranks.ToDictionary(
                    ranks => $"{ranks}", ranks => Math.Round(model.Efficiency(ranks, gigabits * share, delay, copy), 3)));
            }
        }
        if (result.GetValue(_chart) is { } file)
            Draw(models, delay, copy, share, file);
        return report;
    }

    private static IEnumerable<(string Name, ScalingModel Model)> Read(string argument)
    {
        if (argument.Split('=', 2) is not [var name, var file])
            throw new ArgumentException($"--measured must be a NAME=FILE for each model, found '{argument}'.");
        using var report = JsonDocument.Parse(File.ReadAllBytes(file));
        var rows = report.RootElement.GetProperty("rows").EnumerateArray()
            .ToDictionary(row => row.GetProperty("name").GetString()!, row => row.GetProperty("value").GetProperty("median").GetDouble());
        foreach (var what in (string[])[RankStepCommand.All, RankStepCommand.Later])
        {
            if (what == RankStepCommand.All && !rows.ContainsKey(what + RankStepCommand.Alone))
                continue;
            if (!rows.TryGetValue(what + RankStepCommand.Alone, out var step) || !rows.TryGetValue(what + RankStepCommand.Sent, out var sent))
                throw new InvalidDataException($"{file} has no rows of '{what}': it must be what rank-step wrote with --json.");
            yield return ($"{name}, {what}", new(step, sent));
        }
    }

    private static void Draw((string Name, ScalingModel Model)[] models, double delay, double copy, double share, FileInfo file)
    {
        var plots = new Multiplot();
        plots.AddPlots(Gigabits.Length);
        plots.Layout = new ScottPlot.MultiplotLayouts.Columns();
        for (var i = 0; i < Gigabits.Length; i++)
        {
            var (plot, gigabits) = (plots.GetPlot(i), Gigabits[i]);
            for (var k = 0; k < models.Length; k++)
            {
                double[] efficiencies = [.. Ranks.Select(ranks => models[k].Model.Efficiency(ranks, gigabits * share, delay, copy))];
                var line = plot.Add.Scatter(Ranks.Select(ranks => Math.Log2(ranks)).ToArray(), efficiencies, Colors[k % Colors.Length]);
                (line.LineWidth, line.MarkerSize, line.LegendText) = (2, 6, models[k].Name);
            }
            plot.Title(string.Create(CultureInfo.InvariantCulture, $"{gigabits} Gbit/s"));
            plot.XLabel("ranks");
            plot.YLabel(i == 0 ? "efficiency" : "");
            plot.Axes.SetLimitsY(0, 1.05);
            plot.Axes.Bottom.SetTicks([.. Ranks.Select(ranks => Math.Log2(ranks))], [.. Ranks.Select(ranks => $"{ranks}")]);
            if (i == 0)
                plot.ShowLegend(Alignment.LowerLeft);
        }
        file.Directory?.Create();
        plots.SavePng(file.FullName, ChartWidth, ChartHeight);
    }
}
