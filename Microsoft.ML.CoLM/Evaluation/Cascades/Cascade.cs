using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>A rising list of chain counts, and what it takes to go no further at each of them but the last.</summary>
internal sealed record Cascade(IReadOnlyList<int> ChainCounts, IReadOnlyList<double> Thresholds)
{
    /// <summary>Whether the thresholds are losses, not margins; null where that is not said, and is the scorer's affair.</summary>
    public bool? StopsByLoss { get; init; }

    public bool Equals(Cascade? other) => other is not null &&
        ChainCounts.SequenceEqual(other.ChainCounts) && Thresholds.SequenceEqual(other.Thresholds);

    public override string ToString() => $"{ListText.Of(ChainCounts)} by {ListText.Of(Thresholds)}";

    public override int GetHashCode() => HashCode.Combine(ChainCounts.Count, ChainCounts[0], ChainCounts[^1]);
}
