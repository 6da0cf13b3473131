namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>What a row is at each of some chain counts, the last of which stands for all chains.</summary>
/// <param name="Tokens">What the row costs at a parameter.</param>
/// <param name="Weight">What the row counts in the metric, which is a sum of losses over a sum of weights.</param>
/// <param name="Doubts">
/// At each count, what a cascade compares with a threshold: a row goes no further where it is at most that. Negative infinity
/// for a row with nothing to read, which always stops.
/// </param>
/// <param name="Losses">At each count, what the row adds to the metric's sum; the less the better.</param>
internal readonly record struct CalibrationRow(double Tokens, double Weight, double[] Doubts, double[] Losses)
{
    /// <summary>Whether there is anything to read.</summary>
    public bool IsScored => !double.IsNegativeInfinity(Doubts[0]);

    /// <summary>Which of the counts it stops at in a cascade.</summary>
    /// <param name="stages">Indices of the cascade's counts.</param>
    /// <param name="threshold">The threshold of all of them but the last.</param>
    public int StageOf(int[] stages, double threshold)
    {
        for (var i = 0; i < stages.Length - 1; i++)
        {
            if (Doubts[stages[i]] <= threshold)
                return stages[i];
        }
        return stages[^1];
    }
}
