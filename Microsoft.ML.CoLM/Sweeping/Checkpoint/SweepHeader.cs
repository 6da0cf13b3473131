namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What a checkpoint folder is of.</summary>
internal sealed record SweepHeader
{
    /// <summary>Changes when a reader of the last one would read it wrongly.</summary>
    public required int Format { get; init; }

    /// <summary>What <see cref="SweepIdentity"/> says.</summary>
    public required SortedDictionary<string, string> Sweep { get; init; }
}
