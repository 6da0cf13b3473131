namespace ForgettingStudy;

/// <summary>
/// How sure a difference of two methods' accuracies is (Efron and Tibshirani 1993): rows and seeds are drawn anew, the same
/// ones for both methods.
/// </summary>
internal static class PairedBootstrap
{
    private const int Draws = 10_000;
    private const double Outside = 0.05;

    /// <summary>The interval of 95 % around the difference of the mean accuracies.</summary>
    /// <param name="first">Whether one method is right: for each seed, for each row.</param>
    /// <param name="second">The other method's, of the same seeds and rows.</param>
    public static (double Low, double High) Interval(bool[][] first, bool[][] second)
    {
        var random = new Random(1); // the same files give the same interval
        int seeds = first.Length, rows = first[0].Length;
        int[][] differences = [.. first.Zip(second, (own, other) =>
            own.Zip(other, (a, b) => (a ? 1 : 0) - (b ? 1 : 0)).ToArray())];
        var drawn = new double[Draws];
        var sums = new int[rows];
        for (var draw = 0; draw < Draws; draw++)
        {
            Array.Clear(sums);
            for (var i = 0; i < seeds; i++)
            {
                var seed = differences[random.Next(seeds)];
                for (var row = 0; row < rows; row++)
                    sums[row] += seed[row];
            }
            var sum = 0;
            for (var i = 0; i < rows; i++)
                sum += sums[random.Next(rows)];
            drawn[draw] = (double)sum / ((long)seeds * rows);
        }
        Array.Sort(drawn);
        return (drawn[(int)(Draws * Outside / 2)], drawn[(int)(Draws * (1 - Outside / 2)) - 1]);
    }
}
