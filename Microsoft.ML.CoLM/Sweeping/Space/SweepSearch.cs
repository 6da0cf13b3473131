namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>In which order the candidates of a space are tried: the same in every run.</summary>
internal abstract class SweepSearch
{
    /// <summary>Says all that decides the order.</summary>
    public abstract string Describe();

    /// <summary>The candidates, each once, until there is none left.</summary>
    public abstract IEnumerable<SweepSettings> Candidates(IReadOnlyList<SweepDimension> space);

    protected static SweepSettings Settings(IReadOnlyList<SweepDimension> space, Func<int, object> valueOf)
    {
        var settings = new SweepSettings();
        for (var i = 0; i < space.Count; i++)
            settings.Put(space[i].Name, valueOf(i));
        return settings;
    }
}
