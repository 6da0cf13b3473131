namespace Microsoft.ML.CoLM.Modules;

/// <summary>What inference keeps with a model between its calls; the modules do not look into it.</summary>
internal sealed class EngineSlot
{
    /// <summary>Who reads or writes <see cref="Engine"/> holds this.</summary>
    public Lock Gate { get; } = new();

    /// <summary>What is kept; null for nothing.</summary>
    public IDisposable? Engine { get; private set; }

    /// <summary>Keeps another one, and disposes the one before.</summary>
    public void Replace(IDisposable? engine)
    {
        lock (Gate)
        {
            Engine?.Dispose();
            Engine = engine;
        }
    }
}
