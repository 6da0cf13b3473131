namespace ClusterSample.Contracts;

/// <summary>A block of rows to score.</summary>
/// <param name="ModelHash">SHA-256 of the client's zip; a silo that holds another model refuses the block.</param>
/// <param name="ChainCount">The chain count; null scores as the zip says.</param>
/// <param name="Rows">The columns that the model reads, in ML.NET's binary format.</param>
/// <param name="Columns">The columns to answer with.</param>
[GenerateSerializer, Immutable]
internal sealed record ScoringRequest(
    [property: Id(0)] string ModelHash, [property: Id(1)] int? ChainCount, [property: Id(2)] byte[] Rows,
    [property: Id(3)] string[] Columns);
