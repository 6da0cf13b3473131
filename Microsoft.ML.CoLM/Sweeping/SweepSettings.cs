using Microsoft.ML.CoLM.Sweeping;

namespace Microsoft.ML.CoLM;

/// <summary>One candidate of a <see cref="SweepSpace"/>: a value for each of its names.</summary>
public sealed class SweepSettings
{
    private readonly List<KeyValuePair<string, object>> _values = [];

    /// <summary>Settings without a value: <see cref="Set"/> adds them.</summary>
    public SweepSettings()
    {
    }

    /// <summary>
    /// Ends with the sweep, and with the trial's limit of time. Estimators of this library get it from the sweep, others
    /// where the candidate's code hands it on. Settings of a trial that ended have none.
    /// </summary>
    public CancellationToken CancellationToken { get; internal init; }

    /// <summary>The values in the space's order, each of the type that the space has it in.</summary>
    internal IReadOnlyList<KeyValuePair<string, object>> Values => _values;

    /// <summary>The value of a name, exactly as the space, or <see cref="Set"/>, was given it; an array is a copy.</summary>
    /// <typeparam name="T">The type that the space has it in.</typeparam>
    /// <param name="name">The name in the space.</param>
    /// <exception cref="ArgumentException">
    /// There is no such name, and the message lists those that there are; or its value is of another type, and the message
    /// names both.
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
        return value.GetType() == typeof(T) ? (T)SweepValue.Copy(value) : throw new ArgumentException(
            $"The setting '{name}' is of type {value.GetType()}, but was asked for as {typeof(T)}.", nameof(name));
    }

    /// <summary>Gives a name a value, in place of what it had: what a trial had can be repeated so, without a sweep.</summary>
    /// <param name="name">The name.</param>
    /// <param name="value">Bool, a number, a text, an enum, or an array of these, which is copied.</param>
    /// <returns>These settings.</returns>
    /// <exception cref="ArgumentException">The name is empty, or the value of a type that no space has.</exception>
    public SweepSettings Set<T>(string name, T value)
    {
        SweepValue.CheckName(name);
        SweepValue.Check(name, typeof(T), value);
        Put(name, value!);
        return this;
    }

    /// <summary>The same values with a token, or without.</summary>
    internal SweepSettings With(CancellationToken cancellationToken)
    {
        var copy = new SweepSettings { CancellationToken = cancellationToken };
        copy._values.AddRange(_values);
        return copy;
    }

    /// <summary>Gives a name a value that was checked.</summary>
    internal void Put(string name, object value)
    {
        var (index, entry) = (IndexOf(name), KeyValuePair.Create(name, SweepValue.Copy(value)));
        if (index < 0)
            _values.Add(entry);
        else
            _values[index] = entry;
    }

    /// <summary>The values as exact texts.</summary>
    internal Dictionary<string, string> Texts() => _values.ToDictionary(value => value.Key, value => SweepValue.TextOf(value.Value));

    /// <summary>For example <c>learningRate = 0.001, chains = [4, 4]</c>; empty without values.</summary>
    internal string Describe() => string.Join(", ", _values.Select(value => $"{value.Key} = {SweepValue.TextOf(value.Value)}"));

    private int IndexOf(string name) => _values.FindIndex(value => value.Key == name);
}
