using System.Globalization;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

/// <summary>What a training run did.</summary>
public sealed class TrainingSummary
{
    internal TrainingSummary()
    {
    }

    /// <summary>Optimizer steps done.</summary>
    public int Steps { get; internal init; }

    /// <summary>Whether it was cancelled before its last step.</summary>
    public bool Cancelled { get; internal init; }

    /// <summary>The objective at the last step; NaN when there was none.</summary>
    public double Loss { get; internal init; }

    /// <summary>Tokens trained on each second.</summary>
    public double TokensPerSecond { get; internal init; }

    /// <summary>
    /// The mean loss of a token, or of a row that has a label, at each chain count from 1 on, of the model that training
    /// ended with; empty without a validation set, and when training was cancelled.
    /// </summary>
    public IReadOnlyList<double> ValidationLosses { get; internal init => field = new ItemList<double>(value); } = new ItemList<double>([]);

    /// <summary>
    /// The task's metric, where <see cref="ValidationLosses"/> are given, at each chain count from 1 on: accuracy in
    /// classification, Pearson's correlation in regression; empty in language modelling.
    /// </summary>
    public IReadOnlyList<double> ValidationMetrics { get; internal init => field = new ItemList<double>(value); } = new ItemList<double>([]);

    /// <summary>
    /// The step whose weights the model has: the last, or with <see cref="TrainingOptions.RestoreBest"/> that of the best
    /// validation.
    /// </summary>
    public int ModelStep { get; internal init; }

    /// <summary>How many parameters were trained.</summary>
    public long TrainedParameterCount { get; internal init; }

    /// <summary>All of it in a line.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Steps} steps{(Cancelled ? ", cancelled" : "")}, weights of step {ModelStep}: loss {Loss:F4}, " +
        $"{TokensPerSecond:F0} tokens/s, {TrainedParameterCount:N0} parameters trained") +
        ListText.Named("validation losses", ValidationLosses) + ListText.Named("validation metrics", ValidationMetrics);
}
