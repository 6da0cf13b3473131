namespace Benchmarks;

/// <summary>Measurements of one thing, in the order of the rounds.</summary>
internal sealed class Samples(IEnumerable<double> values)
{
    private readonly double[] _values = [.. values];

    public int Count => _values.Length;

    public double FirstQuartile => Quantile(0.25);

    public double Median => Quantile(0.5);

    public double ThirdQuartile => Quantile(0.75);

    /// <summary>This thing's share of another one, round by round: what slows a round down slows both.</summary>
    public Samples RelativeTo(Samples basis) => new(_values.Zip(basis._values, (own, other) => own / other));

    /// <summary>What this thing takes more than another one, round by round.</summary>
    public Samples Minus(Samples other) => new(_values.Zip(other._values, (own, less) => own - less));

    /// <summary>Every value turned into another, for example milliseconds into rows a second.</summary>
    public Samples Select(Func<double, double> convert) => new(_values.Select(convert));

    private double Quantile(double share)
    {
        var sorted = _values.Order().ToArray();
        var place = share * (sorted.Length - 1);
        var (below, above) = (sorted[(int)place], sorted[(int)Math.Ceiling(place)]);
        return below + (above - below) * (place - Math.Floor(place));
    }
}
