namespace ClusterSample.Client;

/// <summary>A silo died, left, does not answer or does not serve, or there is none.</summary>
internal sealed class ScoringUnavailableException(string message, Exception? inner = null)
    : InvalidOperationException(message, inner);
