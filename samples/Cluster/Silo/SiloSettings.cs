using System.Net;
using ClusterSample.Membership;

namespace ClusterSample.Silo;

/// <summary>How a silo is started.</summary>
/// <param name="ModelPath">The zip of its model.</param>
/// <param name="Membership">Where silos find each other.</param>
/// <param name="Address">The address that it listens on.</param>
/// <param name="Port">The port for other silos; 0 for any.</param>
/// <param name="GatewayPort">The port for clients; 0 for any.</param>
/// <param name="ChainCount">What it scores with unless a client says otherwise; null as the zip says.</param>
/// <param name="Threads">Threads of its arithmetic.</param>
/// <param name="IsVerbose">Whether Orleans's log goes to standard error.</param>
internal sealed record SiloSettings(
    string ModelPath, ClusterMembership Membership, IPAddress Address, int Port, int GatewayPort, int? ChainCount,
    int Threads, bool IsVerbose);
