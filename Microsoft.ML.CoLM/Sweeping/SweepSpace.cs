using System.Diagnostics.CodeAnalysis;

namespace Microsoft.ML.CoLM;

/// <summary>The candidates of a sweep: every combination of the values of its names.</summary>
public sealed class SweepSpace
{
    /// <summary>Adds a name with some values: bool, numbers, text, enums, or arrays of these.</summary>
    /// <returns>This space.</returns>
    public SweepSpace Choice<T>(string name, IReadOnlyList<T> values) => throw new NotImplementedException();

    /// <summary>Adds a name with some values: bool, numbers, text, enums, or arrays of these.</summary>
    /// <returns>This space.</returns>
    public SweepSpace Choice<T>(string name, T first, T second, params T[] more) => throw new NotImplementedException();

    /// <summary>Adds a name with a range of numbers.</summary>
    /// <returns>This space.</returns>
    [SuppressMessage("ApiDesign", "RS0026", Justification = "The overloads differ in the type of their numbers.")]
    public SweepSpace Range(string name, double min, double max, bool logBase = false, int steps = 5) =>
        throw new NotImplementedException();

    /// <summary>Adds a name with a range of whole numbers.</summary>
    /// <returns>This space.</returns>
    [SuppressMessage("ApiDesign", "RS0026", Justification = "The overloads differ in the type of their numbers.")]
    public SweepSpace Range(string name, int min, int max, bool logBase = false, int steps = 5) =>
        throw new NotImplementedException();
}
