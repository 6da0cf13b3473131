namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Sizes of grouped-query attention: queries [groups, queries, length, d], keys [groups, 1, length, d].</summary>
/// <param name="Groups">Sequences times key-value heads.</param>
/// <param name="Queries">Query heads that read one key-value head.</param>
/// <param name="Length">Tokens.</param>
/// <param name="HeadWidth">d.</param>
internal readonly record struct AttentionShape(int Groups, int Queries, int Length, int HeadWidth)
{
    /// <summary>Floats of the queries of one group.</summary>
    public long QueryStride => (long)Queries * Length * HeadWidth;

    /// <summary>Floats of the keys of one group.</summary>
    public long KeyStride => (long)Length * HeadWidth;

    /// <summary>The length rounded up to whole vectors.</summary>
    public int PaddedLength => (Length + AttentionScratch.Lanes - 1) / AttentionScratch.Lanes * AttentionScratch.Lanes;

    /// <summary>1 / sqrt(d).</summary>
    public float Scale => 1 / MathF.Sqrt(HeadWidth);
}
