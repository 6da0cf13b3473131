namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Finds the cheapest cascade whose metric stays within a tolerance of that of all chains.</summary>
/// <remarks>
/// <para>
/// Tried are all choices of chain counts (of more than <see cref="FewCounts"/>, those of at most three; of more than
/// <see cref="SomeCounts"/>, of at most two), each with one threshold for all of its counts, halfway between rows at
/// <see cref="Levels"/> quantiles of the doubts at each of them: one leaves less to luck than several, which would be fitted to
/// the rows at hand. The time is that of choices x quantiles x rows, six times; a hundred thousand rows at three counts take
/// some seconds.
/// </para>
/// <para>
/// A difference is of the same rows at two chain counts, so its noise is that of their differences alone (a ratio
/// estimator's), and a new set as large has as much again: the margin is the confidence's quantile times the square root of 2
/// times the standard error. Few rows that stop early say little of the noise itself, so its square counts v/(v - 2) times with
/// v + 1 such rows, as of Student's distribution; of a metric that counts mistakes, two more are assumed than were seen. What a
/// search gains by luck, because it takes the best of many, is measured: it searches in four fifths of the rows and looks at the
/// other fifth, five times.
/// </para>
/// </remarks>
/// <param name="rows">The rows.</param>
/// <param name="parameters">How many parameters are in use at each chain count.</param>
/// <param name="tolerance">The largest difference that is allowed.</param>
/// <param name="confidence">How probable it is to be that the difference on other rows is no larger.</param>
/// <param name="isCount">Whether a row's loss is 1 or 0, a mistake or none.</param>
/// <param name="checkAlive">Called often; what it throws ends the search.</param>
internal sealed class CascadeSearch(
    CalibrationRow[] rows, long[] parameters, double tolerance, double confidence, bool isCount, Action? checkAlive = null)
{
    private const int FewCounts = 5;
    private const int SomeCounts = 8;
    private const int Levels = 40;
    private const int Folds = 5;
    private const double UnseenMistakes = 2;

    private readonly int[] _all = [parameters.Length - 1];
    private readonly double _quantile = NormalQuantile.Of(confidence);

    /// <summary>The cheapest cascade that keeps the promise; all chains where none does.</summary>
    public CascadeCandidate Find()
    {
        var luck = Luck();
        var found = Cheapest(rows, tolerance - luck);
        return found.Stages == _all ? found : found with { Bound = found.Bound + luck };
    }

    /// <summary>How much better the cascades that the search takes are on the rows that it takes them by than on others.</summary>
    private double Luck()
    {
        double luck = 0;
        for (var fold = 0; fold < Folds; fold++)
        {
            var own = fold;
            CalibrationRow[] seen = [.. rows.Where((_, i) => i % Folds != own)], unseen = [.. rows.Where((_, i) => i % Folds == own)];
            var taken = Cheapest(seen, tolerance);
            var weight = unseen.Sum(row => row.Weight);
            if (taken.Stages != _all && weight > 0)
                luck += (unseen.Sum(row => LossOf(row, taken)) / weight - taken.Difference) / Folds;
        }
        return Math.Max(0, luck);
    }

    private double LossOf(CalibrationRow row, CascadeCandidate cascade) =>
        row.Losses[row.StageOf(cascade.Stages, cascade.Threshold)] - row.Losses[_all[0]];

    private CascadeCandidate Cheapest(CalibrationRow[] some, double allowed)
    {
        var best = new CascadeCandidate(_all, double.NegativeInfinity, Cost: 1, Difference: 0, Bound: 0);
        double[][] thresholds = [.. parameters.Select((_, stage) => Thresholds(some, stage))];
        foreach (var stages in Choices())
        {
            checkAlive?.Invoke();
            // One count alone has no threshold.
            foreach (var threshold in stages[..^1].SelectMany(stage => thresholds[stage]).DefaultIfEmpty().Distinct())
            {
                if (Measure(some, stages, threshold, best.Cost) is { } candidate && candidate.Bound <= allowed)
                    best = candidate;
            }
        }
        return best;
    }

    /// <summary>What rows say of a cascade; null where it is no cheaper than another, or stops none of them early.</summary>
    private CascadeCandidate? Measure(CalibrationRow[] some, int[] stages, double threshold, double costToBeat)
    {
        var last = _all[0];
        double cost = 0, allCost = 0, weights = 0, squaredWeights = 0, sum = 0, squares = 0, products = 0;
        var early = 0;
        foreach (var row in some)
        {
            var stage = row.StageOf(stages, threshold);
            var difference = row.Losses[stage] - row.Losses[last];
            cost += row.Tokens * parameters[stage];
            allCost += row.Tokens * parameters[last];
            weights += row.Weight;
            squaredWeights += row.Weight * row.Weight;
            sum += difference;
            squares += difference * difference;
            products += difference * row.Weight;
            early += stage < last && row.IsScored ? 1 : 0;
        }
        if (early == 0 || cost >= costToBeat * allCost)
            return null;
        var mean = sum / weights;
        var variance = Math.Max(0, squares - 2 * mean * products + mean * mean * squaredWeights) + (isCount ? UnseenMistakes : 0);
        return new(stages, threshold, cost / allCost, mean, mean + Margin(variance / (weights * weights), early));
    }

    private double Margin(double variance, int early)
    {
        var degrees = early - 1;
        return degrees > 2 ? _quantile * Math.Sqrt(2 * variance * degrees / (degrees - 2)) : double.PositiveInfinity;
    }

    /// <summary>Indices of chain counts, rising; all chains alone, which cost most, are left out.</summary>
    private IEnumerable<int[]> Choices()
    {
        var count = parameters.Length;
        var most = count <= FewCounts ? count : count <= SomeCounts ? 3 : 2;
        return Further([]).Where(stages => stages is not [var only] || only < count - 1);

        IEnumerable<int[]> Further(int[] begun) => begun.Length == most ? [] :
            Enumerable.Range(begun.Length == 0 ? 0 : begun[^1] + 1, count - (begun.Length == 0 ? 0 : begun[^1] + 1))
                .SelectMany(next => Further([.. begun, next]).Prepend([.. begun, next]));
    }

    /// <summary>Thresholds halfway between doubts that differ, so that rounding moves no row over one.</summary>
    private static double[] Thresholds(CalibrationRow[] some, int stage)
    {
        double[] doubts = [.. some.Where(row => row.IsScored).Select(row => row.Doubts[stage]).Distinct().Order()];
        return [.. Enumerable.Range(1, Levels - 1).Select(level => (int)((long)level * doubts.Length / Levels))
            .Where(place => place > 0).Distinct().Select(place => (doubts[place - 1] + doubts[place]) / 2)];
    }
}
