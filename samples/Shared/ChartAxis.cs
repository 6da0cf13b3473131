using System.Globalization;
using ScottPlot;
using ScottPlot.TickGenerators;

namespace Samples;

/// <summary>One direction of a chart: linear, or logarithmic where its values ask for that.</summary>
internal sealed class ChartAxis
{
    // Of the largest to the smallest value: from here on, small ones would lie together on a linear axis.
    private const double LogRatio = 15;

    // Of the range of values, on either side.
    private const double Margin = 0.1;

    private const int MostTicks = 12;

    private readonly bool _isLog;

    /// <param name="values">What it has to show, finite.</param>
    /// <param name="roomAbove">More room at its upper end, as a share of the range.</param>
    public ChartAxis(IReadOnlyCollection<double> values, double roomAbove = 0)
    {
        _isLog = values.Min() > 0 && values.Max() / values.Min() >= LogRatio;
        var (low, high) = (Place(values.Min()), Place(values.Max()));
        var range = high - low;
        // Equal values get a range of their own.
        if (range <= 1e-9 * Math.Max(Math.Abs(low), Math.Abs(high)))
            range = low == 0 ? 1 : Math.Abs(low) / 5;
        (Min, Max) = (low - Margin * range, high + (Margin + roomAbove) * range);
    }

    public double Min { get; }

    public double Max { get; }

    /// <summary>Where a value is in the plot's coordinates.</summary>
    public double Place(double value) => _isLog ? Math.Log10(value) : value;

    public ITickGenerator Ticks()
    {
        if (!_isLog)
            return new NumericAutomatic { LabelFormatter = Text };
        var ticks = new NumericManual();
        double[] steps = Max - Min > MostTicks ? [] : Max - Min > MostTicks / 3.0 ? [1] : [1, 2, 5];
        for (var power = (int)Math.Floor(Min); power <= Max; power++)
        {
            if (steps.Length == 0 && power % (int)Math.Ceiling((Max - Min) / MostTicks) == 0)
                ticks.AddMajor(power, Text(Math.Pow(10, power)));
            for (var digit = 1; digit < 10 && steps.Length > 0; digit++)
            {
                var place = Math.Log10(digit) + power;
                if (place < Min || place > Max)
                    continue;
                if (steps.Contains(digit))
                    ticks.AddMajor(place, Text(digit * Math.Pow(10, power)));
                else
                    ticks.AddMinor(place);
            }
        }
        return ticks;
    }

    // Ticks are multiples of round steps: six digits are all that they have.
    private static string Text(double value) =>
        (Math.Abs(value) < 1e-12 ? 0 : value).ToString("G6", CultureInfo.InvariantCulture);
}
