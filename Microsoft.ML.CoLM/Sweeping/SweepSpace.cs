using System.Diagnostics.CodeAnalysis;
using Microsoft.ML.CoLM.Sweeping;

namespace Microsoft.ML.CoLM;

/// <summary>The candidates of a sweep: every combination of the values of its names.</summary>
/// <remarks>
/// A grid search tries all combinations in order, the last name's values varying fastest; a range contributes its steps. A
/// random search draws one of the listed values, or any value of a range, uniformly or, with a logarithmic one, uniformly in
/// the logarithm; its steps are then ignored.
/// </remarks>
public sealed class SweepSpace
{
    private readonly List<SweepDimension> _dimensions = [];

    internal IReadOnlyList<SweepDimension> Dimensions => _dimensions;

    /// <summary>Adds a name with its values: Booleans, numbers, strings, enums, or arrays of these, which are copied.</summary>
    /// <param name="name">A name that is not in the space yet.</param>
    /// <param name="values">
    /// One or more distinct values; null may be one of nullable numbers, Booleans and enums, such as <c>WeightFormat?</c>.
    /// </param>
    /// <returns>This space.</returns>
    /// <exception cref="ArgumentException">
    /// The name is empty or taken, there is no value, or one is a duplicate, of another type, or null where its type has none.
    /// </exception>
    public SweepSpace Choice<T>(string name, IReadOnlyList<T> values)
    {
        ArgumentNullException.ThrowIfNull(values);
        return Add(name, () => ChoiceDimension.Of(name, values));
    }

    /// <summary>Adds a name with its values: Booleans, numbers, strings, enums, or arrays of these, which are copied.</summary>
    /// <returns>This space.</returns>
    /// <exception cref="ArgumentException">
    /// The name is empty or taken, or a value is null, a duplicate, or of another type.
    /// </exception>
    public SweepSpace Choice<T>(string name, T first, T second, params T[] more)
    {
        ArgumentNullException.ThrowIfNull(more);
        return Add(name, () => ChoiceDimension.Of(name, [first, second, .. more]));
    }

    /// <summary>Adds a name with a range of numbers.</summary>
    /// <param name="name">A name that is not in the space yet.</param>
    /// <param name="min">The minimum, which is the first step.</param>
    /// <param name="max">The maximum, which is the last step if there are two or more.</param>
    /// <param name="logBase">
    /// Whether steps are evenly spaced in the logarithm; <paramref name="min"/> must then be above 0.
    /// </param>
    /// <param name="steps">
    /// The number of values in a grid search, from 1 to 65,536, including both ends; those in between are rounded to 15 digits.
    /// </param>
    /// <returns>This space.</returns>
    /// <exception cref="ArgumentException">The name is empty or taken, or the range is invalid.</exception>
    [SuppressMessage("ApiDesign", "RS0026", Justification = "The overloads differ in the type of their numbers.")]
    public SweepSpace Range(string name, double min, double max, bool logBase = false, int steps = 5) =>
        Add(name, () => new NumberDimension(name, min, max, logBase, steps));

    /// <summary>Adds a name with a range of whole numbers.</summary>
    /// <param name="name">A name that is not in the space yet.</param>
    /// <param name="min">The minimum, which is the first step.</param>
    /// <param name="max">The maximum, which is the last step if there are two or more.</param>
    /// <param name="logBase">
    /// Whether steps are evenly spaced in the logarithm; <paramref name="min"/> must then be above 0.
    /// </param>
    /// <param name="steps">
    /// The number of values in a grid search, from 1 to 65,536, including both ends; fewer if the range has fewer whole
    /// numbers.
    /// </param>
    /// <returns>This space.</returns>
    /// <exception cref="ArgumentException">The name is empty or taken, or the range is invalid.</exception>
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
