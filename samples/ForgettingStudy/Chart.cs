using ScottPlot;

namespace ForgettingStudy;

/// <summary>Loss and accuracy over steps, a line for each method: the mean of its runs.</summary>
internal sealed class Chart(SavedRun[] runs)
{
    private const int Width = 1200;
    private const int Height = 900;
    private const float LineWidth = 2;

    // Markers would cover a line of more points.
    private const int MostMarkers = 50;

    // Steps that a point of the loss is the mean of, as a share of all.
    private const double Smoothing = 0.02;

    // Okabe and Ito 2008, a color for each method; without the yellow, and a grey for the black.
    private static readonly Color[] Colors =
        [.. new[] { "#0072B2", "#56B4E9", "#E69F00", "#009E73", "#D55E00", "#CC79A7", "#999999" }.Select(Color.FromHex)];

    public void Save(string path)
    {
        var plots = new Multiplot();
        plots.AddPlots(2);
        plots.Layout = new ScottPlot.MultiplotLayouts.Rows();
        var (loss, accuracy) = (plots.GetPlot(0), plots.GetPlot(1));
        foreach (var group in runs.GroupBy(run => run.Settings.Method))
        {
            var method = Method.Of(group.Key);
            RunResult[] own = [.. group.Select(run => run.Result)];
            var color = Colors[Array.IndexOf(Method.All, method)];
            AddLosses(loss, own, method, color);
            AddAccuracies(accuracy, own, method, color);
        }
        var steps = runs.Max(run => run.Result.Steps);
        Describe(loss, "training loss of a row, moving mean", steps);
        Describe(accuracy, "accuracy on what settings are chosen by (%)", steps);
        plots.SavePng(path, Width, Height);
    }

    private static void AddLosses(Plot plot, RunResult[] own, Method method, Color color)
    {
        var steps = own.Min(run => run.Losses.Length);
        // The multi-chain objective is the sum of all chain counts' losses.
        var scales = method.Scales == TrainedScales.All ? own[0].Validations[0].Losses.Length : 1;
        double[] mean = [.. Enumerable.Range(0, steps)
            .Select(step => own.Average(run => run.Losses[step] / scales))];
        var window = Math.Max(1, (int)(Smoothing * steps));
        // Of whole windows alone: single batches say little.
        double[] xs = [.. Enumerable.Range(window, steps - window + 1).Select(step => (double)step)];
        Add(plot, xs, [.. xs.Select(step => mean.AsSpan((int)step - window, window).ToArray().Average())], method.Title,
            color);
    }

    private static void AddAccuracies(Plot plot, RunResult[] own, Method method, Color color)
    {
        var points = own[0].Validations.Select(point => point.Step).ToArray();
        Add(plot, [.. points.Select(step => (double)step)], [.. points.Select((_, i) =>
            100 * own.Where(run => run.Validations.Length > i)
                .Average(run => run.Validations[i].Accuracies[method.Judged]))], method.Title, color);
    }

    private static void Add(Plot plot, double[] xs, double[] ys, string title, Color color)
    {
        var line = plot.Add.Scatter(xs, ys, color);
        line.LegendText = title;
        line.LineWidth = LineWidth;
        line.MarkerSize = xs.Length > MostMarkers ? 0 : 6;
    }

    private static void Describe(Plot plot, string what, int steps)
    {
        plot.Axes.SetLimitsX(0, steps);
        plot.XLabel("optimizer steps");
        plot.YLabel(what);
        plot.ShowLegend(Edge.Right);
    }
}
