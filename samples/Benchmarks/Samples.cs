using System.Globalization;

namespace Benchmarks;

/// <summary>Measurements of one thing.</summary>
internal sealed class Samples
{
    private readonly List<double> _values = [];

    public void Add(double value) => _values.Add(value);

    public double Median => Quantile(0.5);

    /// <summary>The median, with the range of the middle half.</summary>
    public string Text(string format)
    {
        string Format(double value) => value.ToString(format, CultureInfo.InvariantCulture);
        return $"{Format(Median)} ({Format(Quantile(0.25))} to {Format(Quantile(0.75))})";
    }

    private double Quantile(double share)
    {
        var sorted = _values.Order().ToArray();
        return sorted[(int)Math.Round(share * (sorted.Length - 1))];
    }
}
