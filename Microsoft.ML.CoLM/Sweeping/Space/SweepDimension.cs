using System.Globalization;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>A name of a space, and the values that it can have.</summary>
internal abstract class SweepDimension(string name, IReadOnlyList<object> grid)
{
    // Each is a value in memory; nobody fits so many candidates.
    private const int MostSteps = 1 << 16;

    public string Name => name;

    /// <summary>What a grid search goes through, in order.</summary>
    public IReadOnlyList<object> Grid => grid;

    /// <summary>How many values a random search can draw; null where there is no end of them.</summary>
    public abstract long? Count { get; }

    /// <summary>The value of an index below <see cref="Count"/>.</summary>
    public abstract object At(long index);

    /// <summary>The index of a drawn value.</summary>
    public abstract long Draw(Random random);

    /// <summary>A value that is drawn where there is no end of them.</summary>
    public virtual object DrawValue(Random random) => At(Draw(random));

    /// <summary>Says all that decides what a search draws.</summary>
    public abstract string Describe();

    /// <summary>Refuses a range that is none.</summary>
    /// <exception cref="ArgumentException">The message names the setting.</exception>
    protected static void CheckRange(string name, double min, double max, bool isLogarithmic, int steps)
    {
        if (!double.IsFinite(min) || !double.IsFinite(max) || min > max)
            throw Wrong($"The range of '{name}' must be from a number to one that is not below it, found {min} to {max}.");
        if (isLogarithmic && min <= 0)
            throw Wrong($"The range of '{name}' must begin above 0 with logBase, found {min}.");
        if (steps is < 1 or > MostSteps)
            throw Wrong($"The range of '{name}' must have from 1 to {MostSteps} steps, found {steps}.");
    }

    /// <summary>The places of steps, from 0 to 1.</summary>
    protected static IEnumerable<double> Places(int steps) =>
        Enumerable.Range(0, steps).Select(step => steps == 1 ? 0 : step / (double)(steps - 1));

    /// <summary>What is so far from one end of a range to the other.</summary>
    protected static double Between(double min, double max, bool isLogarithmic, double place)
    {
        if (place is 0 or 1)
            return place == 0 ? min : max;
        var value = isLogarithmic ? Math.Pow(min, 1 - place) * Math.Pow(max, place) : min * (1 - place) + max * place;
        return Math.Clamp(value, min, max);
    }

    private static ArgumentException Wrong(FormattableString message) =>
        new(message.ToString(CultureInfo.InvariantCulture));
}
