namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>A name whose values are a range of numbers.</summary>
internal sealed class NumberDimension : SweepDimension
{
    private readonly double _min;
    private readonly double _max;
    private readonly bool _isLogarithmic;
    private readonly int _steps;

    /// <exception cref="ArgumentException">The range is none.</exception>
    public NumberDimension(string name, double min, double max, bool isLogarithmic, int steps)
        : base(name, Steps(name, min, max, isLogarithmic, steps)) =>
        (_min, _max, _isLogarithmic, _steps) = (min, max, isLogarithmic, steps);

    public override long? Count => _min == _max ? 1 : null;

    public override object At(long index) => _min;

    public override long Draw(Random random) => 0;

    public override object DrawValue(Random random) => Between(_min, _max, _isLogarithmic, random.NextDouble());

    public override string Describe() => FormattableString.Invariant(
        $"Double from {_min:R} to {_max:R}, {(_isLogarithmic ? "logarithmic" : "linear")}, {_steps} steps");

    private static object[] Steps(string name, double min, double max, bool isLogarithmic, int steps)
    {
        CheckRange(name, min, max, isLogarithmic, steps);
        return [.. Places(steps).Select(place => Rounded(Between(min, max, isLogarithmic, place), min, max)).Distinct().Cast<object>()];
    }

    // To 15 digits: 0.001 between 0.0001 and 0.01, not a neighbour of it. The ends stay what they are.
    private static double Rounded(double value, double min, double max) => value == min || value == max ? value
        : Math.Clamp(double.Parse(FormattableString.Invariant($"{value:G15}"), System.Globalization.CultureInfo.InvariantCulture),
            min, max);
}
