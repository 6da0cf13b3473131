using Microsoft.ML.CoLM.Evaluation;

namespace Microsoft.ML.CoLM;

/// <summary>
/// Computes every row with few chains, and only those that are not clear then with more, on top of what is there.
/// </summary>
/// <remarks>
/// Goes beyond the paper, whose structure allows it: chains that are added read the features of earlier ones and change
/// none (arXiv 2505.11820, section 3). A row that stops at a count costs the chains up to it, one that goes on pays the
/// chains that are added, and each has the scores of the count at which it ends. <see cref="CoLMOperations.CalibrateCascade"/>
/// finds the thresholds that keep a metric at the least cost.
/// </remarks>
public sealed class CascadeOptions
{
    /// <summary>The chain counts, each more than the one before; rows begin with the first.</summary>
    public IReadOnlyList<int> ChainCounts { get; set; } = [];

    /// <summary>
    /// For every count but the last: what a row must reach there to go no further; they do not fall. In language modelling
    /// that is the mean loss of its scored tokens (natural log), and a row stops where it is at most the threshold; infinity
    /// stops all rows, a negative number none. In classification it is the margin, the most probable class's probability
    /// less the next one's, and a row stops where it is at least the threshold; 0 stops all rows, more than 1 none.
    /// </summary>
    public IReadOnlyList<double> Thresholds { get; set; } = [];

    /// <summary>Refuses a cascade that is none, with a message that names the option.</summary>
    internal void Check()
    {
        ArgumentNullException.ThrowIfNull(ChainCounts);
        ArgumentNullException.ThrowIfNull(Thresholds);
        Check(ChainCounts, Thresholds);
    }

    /// <summary>A copy that later changes do not reach; not checked yet.</summary>
    internal CascadeOptions Copy() => new()
    {
        ChainCounts = ChainCounts is null ? null! : [.. ChainCounts],
        Thresholds = Thresholds is null ? null! : [.. Thresholds],
    };

    /// <summary>As deep as the options say, which later changes do not reach.</summary>
    /// <exception cref="ArgumentException">They are no cascade; the message names the option.</exception>
    internal Depth ToDepth()
    {
        var copy = Copy();
        copy.Check();
        return new(new Cascade(copy.ChainCounts, copy.Thresholds));
    }

    internal static void Check(IReadOnlyList<int> chainCounts, IReadOnlyList<double> thresholds)
    {
        if (chainCounts.Count == 0)
            throw Wrong(nameof(ChainCounts), "name at least one chain count", "none");
        if (chainCounts[0] < 1)
            throw Wrong(nameof(ChainCounts), "begin with 1 or more", List(chainCounts));
        if (chainCounts.Zip(chainCounts.Skip(1)).Any(pair => pair.Second <= pair.First))
            throw Wrong(nameof(ChainCounts), "rise", List(chainCounts));
        if (thresholds.Count != chainCounts.Count - 1)
        {
            throw Wrong(nameof(Thresholds),
                $"have {chainCounts.Count - 1}, one for each of the {chainCounts.Count} chain counts but the last",
                $"{thresholds.Count}");
        }
        if (thresholds.Any(double.IsNaN))
            throw Wrong(nameof(Thresholds), "be numbers", List(thresholds));
        if (thresholds.Zip(thresholds.Skip(1)).Any(pair => pair.Second < pair.First))
            throw Wrong(nameof(Thresholds), "not fall", List(thresholds));
    }

    internal static void CheckFits(IReadOnlyList<int> chainCounts, ChainLayout layout)
    {
        if (chainCounts[^1] > layout.ChainCount)
        {
            throw Wrong(nameof(ChainCounts), $"be between 1 and the model's {layout.ChainCount} chains ({{{layout}}})",
                List(chainCounts));
        }
    }

    private static string List<T>(IReadOnlyList<T> values) where T : IFormattable => string.Join(
        ", ", values.Select(value => value.ToString(null, System.Globalization.CultureInfo.InvariantCulture)));

    private static ArgumentException Wrong(string option, string expected, string found) =>
        new($"{nameof(Cascade)}.{option} must {expected}, found {found}.", option);
}
