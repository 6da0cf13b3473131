namespace ClusterSample.Membership;

/// <summary>The file's content.</summary>
/// <param name="Version">Counts the changes of the table.</param>
/// <param name="Rows">All silos that there were.</param>
internal sealed record MembershipRows(int Version, IReadOnlyList<MembershipRow> Rows)
{
    public static readonly MembershipRows None = new(0, []);
}
