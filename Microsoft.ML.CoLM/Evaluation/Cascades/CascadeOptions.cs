using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

/// <summary>
/// Computes every row with few chains, and only uncertain rows with more, reusing what has been computed.
/// </summary>
/// <remarks>
/// Goes beyond the paper, whose structure permits it: added chains read the features of earlier ones and change none (arXiv
/// 2505.11820, section 3). A row that stops at a count costs the chains up to it, a row that continues costs only the added
/// chains, and each row gets the scores of the count at which it stops. <see cref="CoLMOperations.CalibrateCascade"/> finds the
/// cheapest thresholds that preserve a metric.
/// </remarks>
public sealed class CascadeOptions
{
    /// <summary>The chain counts, in increasing order; rows start with the first. Default: none, which is rejected.</summary>
    public IReadOnlyList<int> ChainCounts { get; set; } = [];

    /// <summary>
    /// For language modelling, one per count but the last: a row stops if the mean loss of its scored tokens (natural log) is
    /// at or below the threshold. Thresholds must not decrease; infinity stops all rows, a negative number none. Default: none.
    /// </summary>
    public IReadOnlyList<double> MaximumLosses { get; set; } = [];

    /// <summary>
    /// For classification, one per count but the last: a row stops if its margin, the probability of the most probable class
    /// minus that of the next one, is at or above the threshold. Thresholds must not decrease; 0 stops all rows, more than 1
    /// none. Default: none.
    /// </summary>
    public IReadOnlyList<double> MinimumMargins { get; set; } = [];

    /// <summary>The threshold for stopping at every count but the last, a loss or a margin.</summary>
    internal IReadOnlyList<double> Thresholds => MaximumLosses.Count > 0 ? MaximumLosses : MinimumMargins;

    /// <summary>A cascade of a task.</summary>
    /// <param name="chainCounts">Its chain counts.</param>
    /// <param name="thresholds">What a row must reach at every count but the last.</param>
    /// <param name="stopsByLoss">Whether that is a loss at most, not a margin at least.</param>
    internal static CascadeOptions Of(IReadOnlyList<int> chainCounts, IReadOnlyList<double> thresholds, bool stopsByLoss) => new()
    {
        ChainCounts = chainCounts,
        MaximumLosses = stopsByLoss ? thresholds : [],
        MinimumMargins = stopsByLoss ? [] : thresholds,
    };

    /// <summary>Rejects an invalid cascade with a message that names the option.</summary>
    internal void Check()
    {
        ArgumentNullException.ThrowIfNull(ChainCounts);
        ArgumentNullException.ThrowIfNull(MaximumLosses);
        ArgumentNullException.ThrowIfNull(MinimumMargins);
        if (MaximumLosses.Count > 0 && MinimumMargins.Count > 0)
        {
            throw Wrong(nameof(MinimumMargins), $"be left out with {nameof(MaximumLosses)}: a row stops at a loss or at a margin",
                List(MinimumMargins));
        }
        Check(ChainCounts, Thresholds, this switch
        {
            { MaximumLosses.Count: > 0 } => nameof(MaximumLosses),
            { MinimumMargins.Count: > 0 } => nameof(MinimumMargins),
            _ => $"{nameof(MaximumLosses)} or {nameof(MinimumMargins)}",
        });
    }

    /// <summary>A copy that later changes do not affect; not validated yet.</summary>
    internal CascadeOptions Copy() => new()
    {
        ChainCounts = ChainCounts is null ? null! : [.. ChainCounts],
        MaximumLosses = MaximumLosses is null ? null! : [.. MaximumLosses],
        MinimumMargins = MinimumMargins is null ? null! : [.. MinimumMargins],
    };

    /// <summary>The depth that the options describe, which later changes do not affect.</summary>
    /// <exception cref="ArgumentException">The options are not a valid cascade; the message names the option.</exception>
    internal Depth ToDepth()
    {
        var copy = Copy();
        copy.Check();
        return new(new Cascade(copy.ChainCounts, copy.Thresholds)
        {
            StopsByLoss = copy.Thresholds.Count == 0 ? null : copy.MaximumLosses.Count > 0,
        });
    }

    /// <summary>Rejects thresholds of another kind than the task's.</summary>
    /// <param name="cascade">The cascade.</param>
    /// <param name="stopsByLoss">Whether rows stop at a loss, not at a margin.</param>
    /// <exception cref="ArgumentException">They are of the other kind.</exception>
    internal static void CheckKind(Cascade cascade, bool stopsByLoss)
    {
        if (cascade.StopsByLoss is not { } given || given == stopsByLoss)
            return;
        throw given
            ? Wrong(nameof(MaximumLosses), "be left out in classification, where a row stops at a margin: give " +
                nameof(MinimumMargins), List(cascade.Thresholds))
            : Wrong(nameof(MinimumMargins), "be left out in language modelling, where a row stops at a loss: give " +
                nameof(MaximumLosses), List(cascade.Thresholds));
    }

    internal static void Check(IReadOnlyList<int> chainCounts, IReadOnlyList<double> thresholds, string option = "Thresholds")
    {
        if (chainCounts.Count == 0)
            throw Wrong(nameof(ChainCounts), "name at least one chain count", "none");
        if (chainCounts[0] < 1)
            throw Wrong(nameof(ChainCounts), "begin with 1 or more", List(chainCounts));
        if (chainCounts.Zip(chainCounts.Skip(1)).Any(pair => pair.Second <= pair.First))
            throw Wrong(nameof(ChainCounts), "rise", List(chainCounts));
        if (thresholds.Count != chainCounts.Count - 1)
        {
            throw Wrong(option,
                $"have {chainCounts.Count - 1}, one for each of the {chainCounts.Count} chain counts but the last",
                $"{thresholds.Count}");
        }
        if (thresholds.Any(double.IsNaN))
            throw Wrong(option, "be numbers", List(thresholds));
        if (thresholds.Zip(thresholds.Skip(1)).Any(pair => pair.Second < pair.First))
            throw Wrong(option, "not fall", List(thresholds));
    }

    internal static void CheckFits(IReadOnlyList<int> chainCounts, ChainLayout layout)
    {
        if (chainCounts[^1] > layout.ChainCount)
        {
            throw Wrong(nameof(ChainCounts), $"be between 1 and the model's {layout.ChainCount} chains ({{{layout}}})",
                List(chainCounts));
        }
    }

    /// <summary>Returns the cascade in one line.</summary>
    public override string ToString() => $"{nameof(ChainCounts)} {List(ChainCounts)}" +
        (MaximumLosses?.Count > 0 ? $", {nameof(MaximumLosses)} {List(MaximumLosses)}" : "") +
        (MinimumMargins?.Count > 0 ? $", {nameof(MinimumMargins)} {List(MinimumMargins)}" : "");

    private static string List<T>(IReadOnlyList<T> values) where T : IFormattable => ListText.Of(values ?? []);

    private static ArgumentException Wrong(string option, string expected, string found) =>
        new($"{nameof(Cascade)}.{option} must {expected}, found {found}.", option);
}
