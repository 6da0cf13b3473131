namespace ClusterSample.Client;

/// <summary>A silo that is listed, and what came of connecting to it.</summary>
internal sealed class Gateway
{
    /// <summary>The attempt that is being made, or the last one.</summary>
    public required Task Attempt { get; set; }

    /// <summary>The silo, while it is connected and wanted.</summary>
    public OrleansSilo? Silo { get; set; }

    /// <summary>Why it is not; null if it is, or if that is not known yet.</summary>
    public string? Problem { get; set; }

    /// <summary>Whether it is not asked again: it holds another model, or scores with another chain count.</summary>
    public bool IsRefused { get; set; }
}
