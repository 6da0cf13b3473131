namespace Microsoft.ML.CoLM.Inference;

/// <summary>The part of a cache that a pass reads.</summary>
/// <param name="FirstSequence">The first sequence.</param>
/// <param name="SequenceCount">
/// How many: as many as rows, which are one of each; or one, which all rows are of; or all, of which rows choose.
/// </param>
/// <param name="RowCount">Rows of the pass.</param>
/// <param name="KeyCount">Tokens of each sequence, in whole blocks, so that shapes stay the same for a while.</param>
/// <param name="IsScattered">Whether rows choose.</param>
internal readonly record struct CacheSpan(int FirstSequence, int SequenceCount, int RowCount, int KeyCount, bool IsScattered)
{
    private const int Block = 64;

    /// <param name="rows">A pass's rows.</param>
    /// <param name="cache">The cache, which has room for them.</param>
    public static CacheSpan Of(ReadOnlySpan<DecodingRow> rows, KvCache cache)
    {
        var (first, end) = (rows[0].Sequence, 0);
        var (areOne, areNeighbours) = (true, true);
        for (var i = 0; i < rows.Length; i++)
        {
            areOne &= rows[i].Sequence == first;
            areNeighbours &= rows[i].Sequence == first + i;
            end = Math.Max(end, rows[i].Position + 1);
        }
        var keys = Math.Min(cache.Capacity, (end + Block - 1) / Block * Block);
        if (areOne)
            return new(first, 1, rows.Length, keys, IsScattered: false);
        return areNeighbours
            ? new(first, rows.Length, rows.Length, keys, IsScattered: false)
            : new(0, cache.SequenceCount, rows.Length, keys, IsScattered: true);
    }
}
