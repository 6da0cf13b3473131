using System.Globalization;
using Microsoft.ML.CoLM;
using ScottPlot;

namespace Samples;

/// <summary>
/// Quality against latency: every completed trial is a point, the frontier a line of steps whose height at a budget is
/// the best that can be had for it.
/// </summary>
internal sealed class SweepChart : IDisposable
{
    private const int Width = 1000;
    private const int Height = 640;
    private const int LegendLineHeight = 22;
    private const int LongestLegend = 120;
    private const float FontSize = 14;
    private const float MarkerSize = 11;

    // With more points, those off the frontier have no labels.
    private const int MostLabels = 12;

    private static readonly Color Grey = Color.FromHex("#999999");
    private static readonly Color BudgetColor = Color.FromHex("#7A5195");

    // Okabe and Ito 2008, without the yellow.
    private static readonly Color[] Palette =
        [.. new[] { "#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9" }.Select(Color.FromHex)];

    private readonly ChainSweepResult _result;
    private readonly double[] _budgets;
    private readonly SweepPoint[] _points;
    private readonly SweepPoint[] _labelled;
    private readonly string[] _candidates;
    private readonly ChartAxis _x;
    private readonly ChartAxis _y;
    private readonly Plot _plot = new();

    private SweepChart(ChainSweepResult result, double[] budgets)
    {
        (_result, _budgets, _points) = (result, [.. budgets.Distinct().Order()], SweepPoints.Of(result));
        if (_points.Length == 0)
            throw new InvalidOperationException("No trial of the sweep has a metric and a latency to draw.");
        _labelled = _points.Length > MostLabels ? [.. _points.Where(point => point.IsOnFrontier)] : _points;
        _candidates =
            [.. _labelled.OrderByDescending(point => point.IsOnFrontier).Select(point => point.Candidate).Distinct()];
        _x = new([.. _points.Select(point => point.Latency), .. _budgets]);
        _y = new([.. _points.SelectMany(Ends)], roomAbove: _budgets.Length > 0 ? 0.08 : 0);
    }

    /// <summary>Draws a result into two files.</summary>
    /// <param name="result">What a sweep found.</param>
    /// <param name="path">Where to: the chart is there as PNG and as SVG, whichever the name has.</param>
    /// <param name="budgets">Latencies to draw as lines, in milliseconds a row; above 0.</param>
    /// <returns>The two files.</returns>
    /// <exception cref="InvalidOperationException">No trial has a metric and a latency.</exception>
    public static string[] Save(ChainSweepResult result, string path, params double[] budgets)
    {
        string[] files = [Path.ChangeExtension(path, ".png"), Path.ChangeExtension(path, ".svg")];
        using var chart = new SweepChart(result, budgets);
        var height = chart.Draw();
        chart._plot.SavePng(files[0], Width, height);
        chart._plot.SaveSvg(files[1], Width, height);
        return files;
    }

    public void Dispose() => _plot.Dispose();

    private int Draw()
    {
        _plot.Font.Set(Fonts.Sans);
        _plot.Axes.SetLimits(_x.Min, _x.Max, _y.Min, _y.Max);
        _plot.Axes.Bottom.TickGenerator = _x.Ticks();
        _plot.Axes.Left.TickGenerator = _y.Ticks();
        var rows = _result.LatencyBatchSize == 1 ? "1 row" : $"{_result.LatencyBatchSize} rows";
        _plot.XLabel($"median latency in ms a row, scored {rows} at a time", FontSize + 1);
        var better = _result.IsMaximized ? "higher" : "lower";
        _plot.YLabel($"{Shortened(_result.Metric, 40)} ({better} is better)", FontSize + 1);
        _plot.Title("Quality against latency" +
            (_labelled.Length < _points.Length ? $": {_points.Length} trials, the frontier's with names" : ""), FontSize + 3);
        _plot.Axes.Bottom.TickLabelStyle.FontSize = _plot.Axes.Left.TickLabelStyle.FontSize = FontSize - 1;
        var steps = AddFrontier();
        foreach (var budget in _budgets)
            _plot.Add.VerticalLine(_x.Place(budget), 1.5f, BudgetColor);
        foreach (var point in _points.OrderBy(point => point.IsOnFrontier))
            AddPoint(point);
        var height = Height + AddLegend();

        // Labels are placed where the rest is in the picture.
        _plot.RenderInMemory(Width, height);
        AddLabels(steps);
        return height;
    }

    private List<Coordinates> AddFrontier()
    {
        List<Coordinates> steps = [];
        foreach (var place in _points.Where(point => point.IsOnFrontier).OrderBy(point => point.Latency).Select(Place))
        {
            if (steps.Count > 0)
                steps.Add(new(place.X, steps[^1].Y));
            steps.Add(place);
        }
        if (steps.Count == 0)
            return steps;
        steps.Add(new(_x.Max, steps[^1].Y));
        var line = _plot.Add.Scatter(steps, Grey);
        line.LineWidth = 2;
        line.MarkerSize = 0;
        return steps;
    }

    private void AddPoint(SweepPoint point)
    {
        var color = ColorOf(point);
        if (point.Trial.MetricDeviation is { } deviation && double.IsFinite(deviation))
        {
            double[] ends = [.. Ends(point).Select(_y.Place)];
            var bar = _plot.Add.Line(Place(point).X, ends[0], Place(point).X, ends[^1]);
            (bar.Color, bar.LineWidth) = (color, 1);
        }
        var isCascade = point.Trial.Cascade is not null;
        var filled = isCascade ? MarkerShape.FilledDiamond : MarkerShape.FilledCircle;
        _plot.Add.Marker(Place(point), filled, MarkerSize, point.IsOnFrontier ? color : Colors.White);
        if (!point.IsOnFrontier)
            _plot.Add.Marker(Place(point), isCascade ? MarkerShape.OpenDiamond : MarkerShape.OpenCircle, MarkerSize, color);
    }

    /// <summary>The metric, and its deviation's ends where there is one that the axis can show.</summary>
    private static IEnumerable<double> Ends(SweepPoint point) =>
        point.Trial.MetricDeviation is { } deviation && double.IsFinite(deviation)
            ? [point.Metric - deviation, point.Metric, point.Metric + deviation] : [point.Metric];

    private int AddLegend()
    {
        List<LegendItem> items = [];
        if (_candidates.Length > 1)
        {
            items.AddRange(_candidates.Select((candidate, i) => Item(
                $"{Letter(i)}: {(candidate.Length == 0 ? "without settings" : candidate)}", Palette[i % Palette.Length],
                MarkerShape.FilledCircle)));
        }
        if (_points.Any(point => !point.IsOnFrontier))
            items.Add(Item("not filled: another is better and as fast, or as good and faster", Grey, MarkerShape.OpenCircle));
        if (_points.Any(point => point.Trial.Cascade is not null))
            items.Add(Item("diamonds: cascades", Grey, MarkerShape.FilledDiamond));
        if (items.Count == 0)
            return 0;
        _plot.Legend.ManualItems.AddRange(items);
        _plot.Legend.Orientation = Orientation.Vertical;
        _plot.Legend.FontSize = FontSize - 1;
        _plot.Legend.OutlineWidth = 0;
        _plot.Legend.ShadowColor = Colors.Transparent;
        var height = (items.Count + 1) * LegendLineHeight;
        _plot.ShowLegend(Edge.Bottom).MinimumSize = height;
        return height;
    }

    private static LegendItem Item(string text, Color color, MarkerShape shape) => new()
    {
        LabelText = Shortened(text, LongestLegend),
        MarkerShape = shape,
        MarkerFillColor = color,
        MarkerLineColor = color,
        MarkerLineWidth = 1,
        MarkerSize = MarkerSize,
    };

    private void AddLabels(List<Coordinates> steps)
    {
        Pixel Pixel(Coordinates place) => _plot.GetPixel(place);
        var area = _plot.LastRender.DataRect;
        Pixel[] corners = [.. steps.Select(Pixel)];
        var lines = corners.Zip(corners.Skip(1)).ToList();
        lines.AddRange(_budgets.Select(budget => Pixel(new(_x.Place(budget), _y.Min)))
            .Select(foot => (foot, new Pixel(foot.X, area.Top))));
        var placer = new LabelPlacer(area, [.. _points.Select(point => Pixel(Place(point)))], lines);
        AddBudgets(area, placer);
        // Points that lie on one another have one label.
        foreach (var group in _labelled.OrderByDescending(point => point.IsOnFrontier).GroupBy(Place))
        {
            var text = string.Join("\n", group.Select(Text).Distinct());
            var (width, height) = Measure(text);
            if (placer.Place(Pixel(group.Key), width, height) is { } rect)
                AddLabel(text, Pixel(group.Key), rect, ColorOf(group.First()));
        }
    }

    private void AddBudgets(PixelRect area, LabelPlacer placer)
    {
        // In a row at the top, and in further ones where one has no room.
        List<PixelRect> placed = [];
        foreach (var budget in _budgets)
        {
            var text = string.Create(CultureInfo.InvariantCulture, $"{budget:G4} ms");
            var (width, height) = Measure(text);
            var left = _plot.GetPixel(new(_x.Place(budget), _y.Min)).X + 5;
            left = Math.Min(left, area.Right - width - 3);
            var top = area.Top + 5;
            while (placed.Exists(other => other.Right > left - 5 && other.Top == top))
                top += height + 3;
            var rect = new PixelRect(left, left + width, top + height, top);
            placed.Add(rect);
            placer.Take(rect);
            AddText(text, rect, BudgetColor).LabelBackgroundColor = Colors.White;
        }
    }

    private void AddLabel(string text, Pixel point, PixelRect rect, Color color)
    {
        if (LabelPlacer.IsLed(point, rect))
        {
            var (from, to) = LabelPlacer.Leader(point, rect);
            var line = _plot.Add.Line(_plot.GetCoordinates(from), _plot.GetCoordinates(to));
            (line.Color, line.LineWidth) = (color, 0.8f);
        }
        AddText(text, rect, color);
    }

    private ScottPlot.Plottables.Text AddText(string text, PixelRect rect, Color color)
    {
        var label = _plot.Add.Text(text, _plot.GetCoordinates(rect.Center));
        (label.LabelAlignment, label.LabelFontSize, label.LabelFontColor) = (Alignment.MiddleCenter, FontSize, color);
        return label;
    }

    private static (float Width, float Height) Measure(string text)
    {
        using var paint = Paint.NewDisposablePaint();
        var size = new LabelStyle { Text = text, FontSize = FontSize, FontName = Fonts.Sans }.Measure(text, paint).Size;
        return (size.Width, size.Height);
    }

    private string Text(SweepPoint point) => _candidates.Length > 1
        ? $"{Letter(Array.IndexOf(_candidates, point.Candidate))}, {point.Chains}" : point.Chains;

    private Color ColorOf(SweepPoint point) =>
        Array.IndexOf(_candidates, point.Candidate) is >= 0 and var index ? Palette[index % Palette.Length] : Grey;

    private Coordinates Place(SweepPoint point) => new(_x.Place(point.Latency), _y.Place(point.Metric));

    private static string Letter(int index) =>
        $"{(char)('A' + index % 26)}{(index < 26 ? "" : index / 26)}";

    private static string Shortened(string text, int longest) =>
        text.Length <= longest ? text : string.Concat(text.AsSpan(0, longest - 3), "...");
}
