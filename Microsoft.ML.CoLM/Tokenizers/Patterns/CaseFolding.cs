namespace Microsoft.ML.CoLM.Tokenizers;

/// <summary>What an expression that ignores case means.</summary>
internal static class CaseFolding
{
    /// <summary>The characters of a set, and those that differ from one of them only in case.</summary>
    public static CodePointSet Close(CodePointSet set) =>
        CodePointSet.Union(UnicodeTables.OtherCases.Where(pair => set.Contains(pair.Key)).Select(pair => pair.Value).Append(set));

    /// <summary>A character and those that differ from it only in case.</summary>
    public static CodePointSet Close(int codePoint) =>
        UnicodeTables.OtherCases.GetValueOrDefault(codePoint) ?? CodePointSet.Of(codePoint);

    /// <summary>Whether a set has a character that differs only in case from several others in a row, as ß from ss.</summary>
    public static bool HasLikeSequence(CodePointSet set) => !set.And(UnicodeTables.LikeSequences).IsEmpty;

    /// <summary>Whether characters in a row differ from a single one only in case.</summary>
    /// <param name="row">The characters; they may go on.</param>
    public static bool StartsLikeSingle(ReadOnlySpan<int> row)
    {
        foreach (int[] sequence in UnicodeTables.Sequences)
        {
            var length = 0;
            while (length < sequence.Length && length < row.Length && Close(sequence[length]).Contains(row[length]))
                length++;
            if (length == sequence.Length)
                return true;
        }
        return false;
    }
}
