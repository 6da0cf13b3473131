using System.Net;
using Orleans.Messaging;
using Orleans.Runtime;

namespace ClusterSample.Membership;

/// <summary>The silos in a file that take clients.</summary>
internal sealed class FileGatewayListProvider(MembershipFile file) : IGatewayListProvider
{
    public TimeSpan MaxStaleness => TimeSpan.FromSeconds(1);

    public bool IsUpdatable => true;

    public Task InitializeGatewayListProvider() => Task.CompletedTask;

    public async Task<IList<Uri>> GetGateways()
    {
        var table = await file.ReadAsync();
        return [.. table.Rows.Where(row => row.Status == SiloStatus.Active && row.ProxyPort != 0).Select(GatewayOf)];
    }

    private static Uri GatewayOf(MembershipRow row)
    {
        var silo = SiloAddress.FromParsableString(row.Address);
        return SiloAddress.New(new IPEndPoint(silo.Endpoint.Address, row.ProxyPort), silo.Generation).ToGatewayUri();
    }
}
