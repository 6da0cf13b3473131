namespace ClusterSample.Membership;

/// <summary>A vote that a silo is dead.</summary>
/// <param name="By">The silo that votes.</param>
/// <param name="Time">When it did.</param>
internal sealed record Suspicion(string By, DateTime Time);
