namespace ClusterSample.Client;

/// <summary>A silo died, left, does not answer or does not serve: what it had is for others.</summary>
internal sealed class SiloUnavailableException(string message, Exception? inner = null)
    : InvalidOperationException(message, inner);
