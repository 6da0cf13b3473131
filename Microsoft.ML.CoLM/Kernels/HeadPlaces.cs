namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Where the heads of a token stand among its features.</summary>
/// <param name="Groups">Key-value heads.</param>
/// <param name="Queries">Heads that read one of them.</param>
/// <param name="Width">Features of a head.</param>
/// <param name="Columns">The first feature of each head, group by group.</param>
internal sealed record HeadPlaces(int Groups, int Queries, int Width, int[] Columns);
