namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>A name whose values are a range of whole numbers.</summary>
internal sealed class IntegerDimension : SweepDimension
{
    private readonly int _min;
    private readonly int _max;
    private readonly bool _isLogarithmic;
    private readonly int _steps;

    /// <exception cref="ArgumentException">The range is none.</exception>
    public IntegerDimension(string name, int min, int max, bool isLogarithmic, int steps)
        : base(name, Steps(name, min, max, isLogarithmic, steps)) =>
        (_min, _max, _isLogarithmic, _steps) = (min, max, isLogarithmic, steps);

    public override long? Count => (long)_max - _min + 1;

    public override object At(long index) => (int)(_min + index);

    public override long Draw(Random random) => _isLogarithmic
        ? Rounded(_min, _max, isLogarithmic: true, random.NextDouble()) - _min
        : random.NextInt64(Count!.Value);

    public override string Describe() => FormattableString.Invariant(
        $"Int32 from {_min} to {_max}, {(_isLogarithmic ? "logarithmic" : "linear")}, {_steps} steps");

    private static object[] Steps(string name, int min, int max, bool isLogarithmic, int steps)
    {
        CheckRange(name, min, max, isLogarithmic, steps);
        return [.. Places(steps).Select(place => (int)Rounded(min, max, isLogarithmic, place)).Distinct().Cast<object>()];
    }

    private static long Rounded(int min, int max, bool isLogarithmic, double place) =>
        Math.Clamp((long)Math.Round(Between(min, max, isLogarithmic, place)), min, max);
}
