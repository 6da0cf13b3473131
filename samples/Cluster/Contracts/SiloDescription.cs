namespace ClusterSample.Contracts;

/// <summary>A silo, and the model that it holds.</summary>
/// <param name="Name">Its name.</param>
/// <param name="ModelHash">SHA-256 of the model's zip, as hexadecimal digits.</param>
/// <param name="ChainCount">The chain count that it was started with; null scores as the zip says.</param>
/// <param name="Threads">Threads of its arithmetic.</param>
/// <param name="ProcessId">Its process.</param>
[GenerateSerializer, Immutable]
internal sealed record SiloDescription(
    [property: Id(0)] string Name, [property: Id(1)] string ModelHash, [property: Id(2)] int? ChainCount,
    [property: Id(3)] int Threads, [property: Id(4)] int ProcessId);
