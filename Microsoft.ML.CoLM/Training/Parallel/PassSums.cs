namespace Microsoft.ML.CoLM.Training;

/// <summary>The losses of a step's passes, each by itself: added up in order, they are the same whoever computed which.</summary>
/// <param name="passes">How many passes the step has.</param>
internal sealed class PassSums(int passes)
{
    private const int Kinds = 3;

    /// <summary>Sum, count and tokens of each pass; zeros for passes that were not computed.</summary>
    public double[] Numbers { get; } = new double[passes * Kinds];

    /// <summary>Takes note of a pass.</summary>
    /// <returns>Whether its loss is finite.</returns>
    public bool Add(int pass, double sum, double count, long tokens)
    {
        (Numbers[pass * Kinds], Numbers[pass * Kinds + 1], Numbers[pass * Kinds + 2]) = (sum, count, tokens);
        return double.IsFinite(sum);
    }

    /// <summary>The step's sum of losses, what to divide it by, and its tokens.</summary>
    public (double Sum, double Count, long Tokens) Total()
    {
        var (sum, count, tokens) = (0.0, 0.0, 0L);
        for (var i = 0; i < Numbers.Length; i += Kinds)
            (sum, count, tokens) = (sum + Numbers[i], count + Numbers[i + 1], tokens + (long)Numbers[i + 2]);
        return (sum, count, tokens);
    }
}
