namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>How far two lists of as many finite numbers go together.</summary>
internal static class Correlation
{
    /// <summary>Pearson's correlation, from -1 to 1; NaN where either side does not vary.</summary>
    public static double Pearson(double[] left, double[] right)
    {
        if (!Varies(left) || !Varies(right))
            return double.NaN;
        double[] leftDeviations = Deviations(left), rightDeviations = Deviations(right);
        double covariance = 0, leftVariance = 0, rightVariance = 0;
        for (var i = 0; i < left.Length; i++)
        {
            covariance += leftDeviations[i] * rightDeviations[i];
            leftVariance += leftDeviations[i] * leftDeviations[i];
            rightVariance += rightDeviations[i] * rightDeviations[i];
        }
        return Math.Clamp(covariance / Math.Sqrt(leftVariance * rightVariance), -1, 1);
    }

    /// <summary>Spearman's correlation: Pearson's of the ranks; NaN where either side does not vary.</summary>
    public static double Spearman(double[] left, double[] right) => Pearson(Ranks(left), Ranks(right));

    /// <summary>The rank of each number from 1, equal ones at the mean of theirs.</summary>
    public static double[] Ranks(double[] numbers)
    {
        int[] order = [.. Enumerable.Range(0, numbers.Length)];
        Array.Sort((double[])numbers.Clone(), order);
        var ranks = new double[numbers.Length];
        for (var begin = 0; begin < order.Length;)
        {
            var end = begin + 1;
            while (end < order.Length && numbers[order[end]] == numbers[order[begin]])
                end++;
            foreach (var index in order.AsSpan(begin..end))
                ranks[index] = (begin + 1 + end) / 2.0;
            begin = end;
        }
        return ranks;
    }

    // Of numbers that are all the same, the mean may be rounded, and deviations from it would be noise.
    private static bool Varies(double[] numbers) => numbers.Length > 0 && numbers.Min() != numbers.Max();

    // From the mean, in parts of the largest magnitude, so that no square is too large or too small for a number.
    private static double[] Deviations(double[] numbers)
    {
        var scale = numbers.Max(Math.Abs);
        var mean = numbers.Average(number => number / scale);
        return Array.ConvertAll(numbers, number => (number / scale) - mean);
    }
}
