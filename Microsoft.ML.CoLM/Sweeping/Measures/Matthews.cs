namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Matthews' correlation coefficient, for any number of classes (Gorodkin 2004, equation 8).</summary>
internal static class Matthews
{
    /// <param name="counts">Rows of each true class, by predicted class.</param>
    /// <returns>From -1 to 1; 0 where a side has one class alone, as scikit-learn has it.</returns>
    public static double Correlation(IReadOnlyList<IReadOnlyList<double>> counts)
    {
        double right = 0, all = 0, trueSquares = 0, predictedSquares = 0, products = 0;
        for (var i = 0; i < counts.Count; i++)
        {
            double actual = counts[i].Sum(), predicted = counts.Sum(row => row[i]);
            right += counts[i][i];
            all += actual;
            trueSquares += actual * actual;
            predictedSquares += predicted * predicted;
            products += actual * predicted;
        }
        var deviations = Math.Sqrt((all * all - trueSquares) * (all * all - predictedSquares));
        return deviations > 0 ? (right * all - products) / deviations : 0;
    }
}
