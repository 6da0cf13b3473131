namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Cuts rows into batches that are computed together: of like length, so that little is padded.</summary>
internal static class TokenBatches
{
    /// <summary>
    /// Tokens, with their padding, of one forward pass: bounds memory. A single row that has more goes through the model in
    /// blocks (<see cref="CoLMModel.BlockLength"/>).
    /// </summary>
    public const int TokensAtOnce = 8192;

    /// <summary>Batches of the longest rows first.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="length">Tokens to read of a row.</param>
    public static IEnumerable<T[]> LongestFirst<T>(IEnumerable<T> rows, Func<T, int> length) =>
        Of([.. rows.OrderByDescending(length)], length);

    /// <summary>Batches of neighbours, as large as the tokens allow; a row that has more is a batch for itself.</summary>
    /// <param name="rows">The rows, those of like length beside each other.</param>
    /// <param name="length">Tokens to read of a row.</param>
    /// <param name="atOnce">Tokens of a batch, with its padding.</param>
    /// <param name="branch">Tokens to read of a row that are padded apart from the others; null for none.</param>
    /// <param name="count">How many a row counts for; null for one.</param>
    public static IEnumerable<T[]> Of<T>(
        T[] rows, Func<T, int> length, long atOnce = TokensAtOnce, Func<T, int>? branch = null, Func<T, int>? count = null)
    {
        var first = 0;
        var (together, longest, longestBranch) = (0L, 0, 0);
        for (var i = 0; i < rows.Length; i++)
        {
            Add(rows[i]);
            if (i > first && together * ((long)longest + longestBranch) > atOnce)
            {
                yield return rows[first..i];
                first = i;
                (together, longest, longestBranch) = (0, 0, 0);
                Add(rows[i]);
            }
        }
        if (first < rows.Length)
            yield return rows[first..];

        void Add(T row)
        {
            together += count?.Invoke(row) ?? 1;
            longest = Math.Max(longest, length(row));
            longestBranch = Math.Max(longestBranch, branch?.Invoke(row) ?? 0);
        }
    }
}
