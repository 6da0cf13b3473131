using Microsoft.ML.CoLM.Sweeping;

namespace Microsoft.ML.CoLM;

/// <summary>One candidate of a <see cref="SweepSpace"/>: a value for each of its names.</summary>
public sealed class SweepSettings
{
    private readonly List<KeyValuePair<string, object>> _values = [];

    /// <summary>Creates settings without values; use <see cref="Set"/> to add them.</summary>
    public SweepSettings()
    {
    }

    /// <summary>
    /// Cancelled with the sweep, and at the trial's time limit. This library's estimators receive it from the sweep, others
    /// only if the candidate's code passes it on. The settings of a trial that has ended have none.
    /// </summary>
    public CancellationToken CancellationToken { get; internal init; }

    /// <summary>The values in the space's order, each of the type that it has in the space.</summary>
    internal IReadOnlyList<KeyValuePair<string, object>> Values => _values;

    /// <summary>
    /// Returns the value of a name, exactly as it was added to the space or by <see cref="Set"/>; an array is a copy.
    /// </summary>
    /// <typeparam name="T">The value's type in the space.</typeparam>
    /// <param name="name">The name in the space.</param>
    /// <exception cref="ArgumentException">
    /// The name does not exist, and the message lists those that do; or its value is of another type, and the message names
    /// both.
    /// </exception>
    public T Get<T>(string name)
    {
        ArgumentNullException.ThrowIfNull(name);
        var index = IndexOf(name);
        if (index < 0)
        {
            var names = _values.Count == 0 ? "none" : $"'{string.Join("', '", _values.Select(value => value.Key))}'";
            throw new ArgumentException($"There is no setting '{name}'. The settings are: {names}.", nameof(name));
        }
        var value = _values[index].Value;

        // Not "is": an array of UInt32 would pass for one of Int32.
        if (value is NoValue && SweepValue.IsOf(value, typeof(T)))
            return default!;
        return SweepValue.IsOf(value, typeof(T)) ? (T)SweepValue.Copy(value) : throw new ArgumentException(
            $"The setting '{name}' is of type {value.GetType()}, but was asked for as {typeof(T)}.", nameof(name));
    }

    /// <summary>
    /// Sets the value of a name, replacing any previous one; this repeats a trial's settings without a sweep.
    /// </summary>
    /// <param name="name">The name.</param>
    /// <param name="value">
    /// A Boolean, number, string or enum, or an array of these, which is copied; null of a nullable number, Boolean or enum.
    /// </param>
    /// <returns>These settings.</returns>
    /// <exception cref="ArgumentException">The name is empty, or the value's type is not supported.</exception>
    public SweepSettings Set<T>(string name, T value)
    {
        SweepValue.CheckName(name);
        SweepValue.Check(name, typeof(T), value);
        Put(name, SweepValue.Kept(value));
        return this;
    }

    /// <summary>Returns the same values with another token, or none.</summary>
    internal SweepSettings With(CancellationToken cancellationToken)
    {
        var copy = new SweepSettings { CancellationToken = cancellationToken };
        copy._values.AddRange(_values);
        return copy;
    }

    /// <summary>Sets a value that was already checked.</summary>
    internal void Put(string name, object value)
    {
        var (index, entry) = (IndexOf(name), KeyValuePair.Create(name, SweepValue.Copy(value)));
        if (index < 0)
            _values.Add(entry);
        else
            _values[index] = entry;
    }

    /// <summary>The values as exact strings.</summary>
    internal Dictionary<string, string> Texts() => _values.ToDictionary(value => value.Key, value => SweepValue.TextOf(value.Value));

    /// <summary>Returns, for example, <c>learningRate = 0.001, chains = [4, 4]</c>; empty without values.</summary>
    internal string Describe() => string.Join(", ", _values.Select(value => $"{value.Key} = {SweepValue.TextOf(value.Value)}"));

    private int IndexOf(string name) => _values.FindIndex(value => value.Key == name);
}
