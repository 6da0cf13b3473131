using System.Diagnostics.CodeAnalysis;
using Microsoft.ML.CoLM.Sweeping;

namespace Microsoft.ML.CoLM;

/// <summary>The candidates of a sweep: every combination of the values of its names.</summary>
/// <remarks>
/// A grid search goes through all combinations in order, the last name's values fastest; a range counts with its steps. A
/// random search draws a choice among its values, and a range's values from the whole range, evenly or, with a logarithmic
/// one, evenly in the logarithm: its steps then count for nothing.
/// </remarks>
public sealed class SweepSpace
{
    private readonly List<SweepDimension> _dimensions = [];

    internal IReadOnlyList<SweepDimension> Dimensions => _dimensions;

    /// <summary>Adds a name with some values: bool, numbers, text, enums, or arrays of these, which are copied.</summary>
    /// <param name="name">A name that the space does not have yet.</param>
    /// <param name="values">One value or more, each once.</param>
    /// <returns>This space.</returns>
    /// <exception cref="ArgumentException">
    /// The name is empty or taken, there is no value, one is null or there twice, or of another type than these.
    /// </exception>
    public SweepSpace Choice<T>(string name, IReadOnlyList<T> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        return Add(name, () => ChoiceDimension.Of(name, values));
    }

    /// <summary>Adds a name with some values: bool, numbers, text, enums, or arrays of these, which are copied.</summary>
    /// <returns>This space.</returns>
    /// <exception cref="ArgumentException">
    /// The name is empty or taken, a value is null or there twice, or of another type than these.
    /// </exception>
    public SweepSpace Choice<T>(string name, T first, T second, params T[] more)
    {
        ArgumentNullException.ThrowIfNull(more);
        return Add(name, () => ChoiceDimension.Of(name, [first, second, .. more]));
    }

    /// <summary>Adds a name with a range of numbers.</summary>
    /// <param name="name">A name that the space does not have yet.</param>
    /// <param name="min">The least, one of the steps.</param>
    /// <param name="max">The largest, one of the steps where there are two or more.</param>
    /// <param name="logBase">Whether steps are even in the logarithm; <paramref name="min"/> is then above 0.</param>
    /// <param name="steps">
    /// Values of a grid search, from 1 to 65,536, the ends among them; those between are rounded to 15 digits.
    /// </param>
    /// <returns>This space.</returns>
    /// <exception cref="ArgumentException">The name is empty or taken, or the range is none.</exception>
    [SuppressMessage("ApiDesign", "RS0026", Justification = "The overloads differ in the type of their numbers.")]
    public SweepSpace Range(string name, double min, double max, bool logBase = false, int steps = 5) =>
        Add(name, () => new NumberDimension(name, min, max, logBase, steps));

    /// <summary>Adds a name with a range of whole numbers.</summary>
    /// <param name="name">A name that the space does not have yet.</param>
    /// <param name="min">The least, one of the steps.</param>
    /// <param name="max">The largest, one of the steps where there are two or more.</param>
    /// <param name="logBase">Whether steps are even in the logarithm; <paramref name="min"/> is then above 0.</param>
    /// <param name="steps">
    /// Values of a grid search, from 1 to 65,536, the ends among them; fewer where the range has fewer whole numbers.
    /// </param>
    /// <returns>This space.</returns>
    /// <exception cref="ArgumentException">The name is empty or taken, or the range is none.</exception>
    [SuppressMessage("ApiDesign", "RS0026", Justification = "The overloads differ in the type of their numbers.")]
    public SweepSpace Range(string name, int min, int max, bool logBase = false, int steps = 5) =>
        Add(name, () => new IntegerDimension(name, min, max, logBase, steps));

    private SweepSpace Add(string name, Func<SweepDimension> create)
    {
        SweepValue.CheckName(name);
        if (_dimensions.Exists(dimension => dimension.Name == name))
            throw new ArgumentException($"The space has '{name}' already.", nameof(name));
        _dimensions.Add(create());
        return this;
    }
}
