using Orleans.Runtime;

namespace ClusterSample.Membership;

/// <summary>A silo in the file.</summary>
internal sealed record MembershipRow(
    string Address, SiloStatus Status, int ProxyPort, string HostName, string SiloName, string? RoleName, int UpdateZone,
    int FaultZone, DateTime StartTime, DateTime IAmAliveTime, IReadOnlyList<Suspicion> Suspicions, string ETag)
{
    public static MembershipRow From(MembershipEntry entry, string eTag) => new(
        entry.SiloAddress.ToParsableString(), entry.Status, entry.ProxyPort, entry.HostName, entry.SiloName, entry.RoleName,
        entry.UpdateZone, entry.FaultZone, entry.StartTime, entry.IAmAliveTime,
        [.. (entry.SuspectTimes ?? []).Select(suspicion => new Suspicion(suspicion.Item1.ToParsableString(), suspicion.Item2))],
        eTag);

    public MembershipEntry ToEntry() => new()
    {
        SiloAddress = SiloAddress.FromParsableString(Address),
        Status = Status,
        ProxyPort = ProxyPort,
        HostName = HostName,
        SiloName = SiloName,
        RoleName = RoleName,
        UpdateZone = UpdateZone,
        FaultZone = FaultZone,
        StartTime = StartTime,
        IAmAliveTime = IAmAliveTime,
        SuspectTimes = [.. Suspicions.Select(suspicion =>
            Tuple.Create(SiloAddress.FromParsableString(suspicion.By), suspicion.Time))],
    };
}
