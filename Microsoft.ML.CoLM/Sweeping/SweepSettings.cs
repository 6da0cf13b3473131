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
    /// where the candidate's code hands it on.
    /// </summary>
    public CancellationToken CancellationToken { get; internal init; }

    /// <summary>The values in the space's order, each of the type that the space has it in.</summary>
    internal IReadOnlyList<KeyValuePair<string, object>> Values => _values;

    /// <summary>The value of a name.</summary>
    /// <typeparam name="T">The type that the space has it in.</typeparam>
    /// <param name="name">The name in the space.</param>
    public T Get<T>(string name) => throw new NotImplementedException();

    /// <summary>Gives a name a value, in place of what it had.</summary>
    /// <returns>These settings.</returns>
    public SweepSettings Set<T>(string name, T value) => throw new NotImplementedException();
}
