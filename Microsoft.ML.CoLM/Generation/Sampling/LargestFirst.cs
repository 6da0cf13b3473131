namespace Microsoft.ML.CoLM.Generation;

/// <summary>
/// Finds the tokens of the largest weights without sorting all; of equal weights the lowest id is first.
/// </summary>
internal static class LargestFirst
{
    // So few are sorted; more are divided first.
    private const int Few = 16;

    /// <summary>Moves the largest weights to the front.</summary>
    /// <param name="weights">The weights.</param>
    /// <param name="ids">Their tokens, which move along.</param>
    /// <param name="count">How many.</param>
    public static void SelectCount(Span<float> weights, Span<int> ids, int count) =>
        Select(weights, ids, count, counts: true);

    /// <summary>Moves the fewest largest weights to the front that together reach a sum.</summary>
    /// <returns>How many they are; all where even they do not reach it.</returns>
    public static int SelectSum(Span<float> weights, Span<int> ids, double sum) =>
        Select(weights, ids, sum, counts: false);

    private static int Select(Span<float> weights, Span<int> ids, double goal, bool counts)
    {
        var (start, end) = (0, weights.Length);
        double reached = 0;
        while (end - start > Few)
        {
            var pivot = Partition(weights, ids, start, end);
            var before = counts ? pivot - start : Sum(weights[start..pivot]);
            if (reached + before >= goal)
            {
                end = pivot;
                continue;
            }
            reached += before + (counts ? 1 : weights[pivot]);
            start = pivot + 1;
            if (reached >= goal)
                return start;
        }
        Sort(weights, ids, start, end);
        for (; start < end && reached < goal; start++)
            reached += counts ? 1 : weights[start];
        return start;
    }

    /// <summary>Divides a stretch at the middle one of three of its elements.</summary>
    /// <returns>Where that element now stands: those that come before it are in front of it.</returns>
    private static int Partition(Span<float> weights, Span<int> ids, int start, int end)
    {
        var (middle, last) = (start + (end - start) / 2, end - 1);
        if (ComesBefore(weights, ids, middle, start))
            Swap(weights, ids, middle, start);
        if (ComesBefore(weights, ids, last, start))
            Swap(weights, ids, last, start);
        if (ComesBefore(weights, ids, middle, last))
            Swap(weights, ids, middle, last);

        var pivot = start;
        for (var i = start; i < last; i++)
        {
            if (ComesBefore(weights, ids, i, last))
                Swap(weights, ids, i, pivot++);
        }
        Swap(weights, ids, last, pivot);
        return pivot;
    }

    private static void Sort(Span<float> weights, Span<int> ids, int start, int end)
    {
        for (var i = start + 1; i < end; i++)
        {
            for (var j = i; j > start && ComesBefore(weights, ids, j, j - 1); j--)
                Swap(weights, ids, j, j - 1);
        }
    }

    private static bool ComesBefore(Span<float> weights, Span<int> ids, int a, int b) =>
        weights[a] > weights[b] || (weights[a] == weights[b] && ids[a] < ids[b]);

    private static void Swap(Span<float> weights, Span<int> ids, int a, int b)
    {
        (weights[a], weights[b]) = (weights[b], weights[a]);
        (ids[a], ids[b]) = (ids[b], ids[a]);
    }

    private static double Sum(ReadOnlySpan<float> weights)
    {
        double sum = 0;
        foreach (var weight in weights)
            sum += weight;
        return sum;
    }
}
