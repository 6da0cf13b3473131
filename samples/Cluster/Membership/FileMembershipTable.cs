using System.Globalization;
using Orleans.Runtime;

namespace ClusterSample.Membership;

/// <summary>
/// The members of a cluster on one machine, in a file. Orleans's own localhost clustering keeps them in its first silo, and
/// the cluster ends with that; here no process is more than the others, and any may be killed.
/// </summary>
internal sealed class FileMembershipTable(MembershipFile file) : IMembershipTable
{
    public Task InitializeMembershipTable(bool tryInitTableVersion) => Task.CompletedTask;

    public Task DeleteMembershipTableEntries(string clusterId) => file.ChangeAsync(_ => MembershipRows.None);

    public Task CleanupDefunctSiloEntries(DateTimeOffset beforeDate) => file.ChangeAsync(table => table with
    {
        Rows = [.. table.Rows.Where(row =>
            row.Status != SiloStatus.Dead || (row.IAmAliveTime > row.StartTime ? row.IAmAliveTime : row.StartTime) >= beforeDate.UtcDateTime)],
    });

    public Task<MembershipTableData> ReadRow(SiloAddress key) => ReadAsync(row => row.Address == key.ToParsableString());

    public Task<MembershipTableData> ReadAll() => ReadAsync(_ => true);

    public Task<bool> InsertRow(MembershipEntry entry, TableVersion tableVersion) => ChangeAsync(tableVersion, rows =>
        Find(rows, entry) < 0 ? [.. rows, MembershipRow.From(entry, ETagOf(tableVersion))] : null);

    public Task<bool> UpdateRow(MembershipEntry entry, string etag, TableVersion tableVersion) =>
        ChangeAsync(tableVersion, rows =>
        {
            var index = Find(rows, entry);
            if (index < 0 || rows[index].ETag != etag)
                return null;
            rows[index] = MembershipRow.From(entry, ETagOf(tableVersion));
            return rows;
        });

    // A sign of life is no change of the table: its version stays.
    public Task UpdateIAmAlive(MembershipEntry entry) => file.ChangeAsync(table =>
    {
        List<MembershipRow> rows = [.. table.Rows];
        var index = Find(rows, entry);
        if (index < 0)
            return null;
        rows[index] = rows[index] with { IAmAliveTime = entry.IAmAliveTime };
        return table with { Rows = rows };
    });

    private async Task<MembershipTableData> ReadAsync(Func<MembershipRow, bool> isWanted)
    {
        var table = await file.ReadAsync();
        return new(
            [.. table.Rows.Where(isWanted).Select(row => Tuple.Create(row.ToEntry(), row.ETag))],
            new TableVersion(table.Version, ETagOf(table.Version)));
    }

    // Whoever read an older table than the last has nothing to change.
    private Task<bool> ChangeAsync(TableVersion version, Func<List<MembershipRow>, List<MembershipRow>?> change) =>
        file.ChangeAsync(table => ETagOf(table.Version) == version.VersionEtag && change([.. table.Rows]) is { } rows
            ? new MembershipRows(version.Version, rows) : null);

    private static int Find(List<MembershipRow> rows, MembershipEntry entry)
    {
        var address = entry.SiloAddress.ToParsableString();
        return rows.FindIndex(row => row.Address == address);
    }

    private static string ETagOf(TableVersion version) => ETagOf(version.Version);

    private static string ETagOf(int version) => version.ToString(CultureInfo.InvariantCulture);
}
