using System.CommandLine;
using System.Globalization;
using System.Text.Json;
using System.Text.RegularExpressions;
using ScottPlot;

namespace Benchmarks;

/// <summary>Weight formats' size, speed and loss at every chain count, drawn from what <c>formats</c> measured.</summary>
internal sealed partial class ChartFormatsCommand : Benchmark
{
    private const int Width = 1200;
    private const int Height = 460;

    private const float NameDistance = 6;

    private static readonly double[] Ticks =
        [.. from power in Enumerable.Range(-2, 8) from digit in (int[])[1, 2, 5] select digit * Math.Pow(10, power)];

    // Room for the names of the points at the sides.
    private const double Margin = 0.18;

    private static readonly Color[] Colors = [.. new[] { "#0072B2", "#D55E00", "#009E73", "#CC79A7" }.Select(Color.FromHex)];

    private readonly Option<FileInfo> _speed = Measured("--speed", "what formats wrote with --json, for tokens a second");
    private readonly Option<FileInfo> _loss = Measured("--loss", "what formats wrote with --json and --texts, for the loss");
    private readonly Option<FileInfo> _chart = new("--chart") { Description = "chart to write, as PNG", HelpName = "FILE", Required = true };

    public ChartFormatsCommand() : base("chart-formats", "A chart of weight formats' size, speed and loss, from what formats measured.") =>
        Offer(_speed, _loss, _chart);

    protected override Report? Measure(ParseResult result)
    {
        var plots = new Multiplot();
        plots.AddPlots(2);
        plots.Layout = new ScottPlot.MultiplotLayouts.Columns();
        Draw(plots.GetPlot(0), Read(result.GetRequiredValue(_speed), row => Number(row.GetProperty("value"), "median")), "tokens a second");
        Draw(plots.GetPlot(1), Read(result.GetRequiredValue(_loss), row => Number(row.GetProperty("values"), "Loss")), "loss of a token");
        var file = result.GetRequiredValue(_chart);
        file.Directory?.Create();
        plots.SavePng(file.FullName, Width, Height);
        return null;
    }

    private static void Draw(Plot plot, Point[] points, string what)
    {
        foreach (var series in points.GroupBy(point => point.Chains))
        {
            var color = Colors[(series.Key - 1) % Colors.Length];
            var markers = plot.Add.Markers(series.Select(point => point.Place).ToArray(), series.Select(point => point.Value).ToArray());
            (markers.Color, markers.MarkerSize) = (color, 9);
            markers.LegendText = string.Create(CultureInfo.InvariantCulture, $"chain count {series.Key}");
            foreach (var (i, point) in series.OrderBy(point => point.Megabytes).Index())
            {
                // Neighbours' names are below and above their points in turn.
                var label = plot.Add.Text(point.Format, point.Place, point.Value);
                (label.LabelFontColor, label.LabelFontSize, label.LabelAlignment) = (color, 12, i % 2 == 0 ? Alignment.UpperCenter : Alignment.LowerCenter);
                label.OffsetY = i % 2 == 0 ? NameDistance : -NameDistance;
            }
        }
        double[] ticks = [.. Ticks.Where(tick => tick >= points.Min(point => point.Megabytes) / 2 && tick <= points.Max(point => point.Megabytes) * 2)];
        plot.Axes.Bottom.SetTicks([.. ticks.Select(Math.Log10)], [.. ticks.Select(tick => tick.ToString(CultureInfo.InvariantCulture))]);
        plot.XLabel("megabytes of weights");
        plot.YLabel(what);
        plot.Axes.Margins(Margin, Margin);
        plot.ShowLegend(Alignment.UpperRight);
    }

    private static Point[] Read(FileInfo file, Func<JsonElement, double> value)
    {
        using var report = JsonDocument.Parse(File.ReadAllBytes(file.FullName));
        Point[] points =
        [
            .. from row in report.RootElement.GetProperty("rows").EnumerateArray()
               let name = TokenRow().Match(row.GetProperty("name").GetString()!)
               where name.Success
               let chains = int.Parse(name.Groups["chains"].Value, CultureInfo.InvariantCulture)
               let format = name.Groups["format"].Value
               // What formats of further chains are does not matter to the first ones.
               where format.Split(',').Length <= chains
               select new Point(format, chains, Number(row.GetProperty("values"), "MB"), value(row)),
        ];
        return points.Length > 0 ? points : throw new InvalidDataException($"{file} has no rows of tokens: it must be what formats wrote with --json.");
    }

    private static double Number(JsonElement values, string name) => values.TryGetProperty(name, out var number) ? number.GetDouble()
        : throw new InvalidDataException($"--speed and --loss must be what formats wrote with --json, the latter with --texts: there is no {name}.");

    private static Option<FileInfo> Measured(string name, string description) =>
        new Option<FileInfo>(name) { Description = description, HelpName = "FILE", Required = true }.AcceptExistingOnly();

    [GeneratedRegex("^token, (?<format>[^ ]+), (?<chains>[0-9]+) chains$")]
    private static partial Regex TokenRow();

    private sealed record Point(string Format, int Chains, double Megabytes, double Value)
    {
        public double Place => Math.Log10(Megabytes);
    }
}
