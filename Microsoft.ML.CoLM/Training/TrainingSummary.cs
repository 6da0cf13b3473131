using System.Globalization;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

/// <summary>The outcome of a training run.</summary>
public sealed class TrainingSummary
{
    internal TrainingSummary()
    {
    }

    /// <summary>The number of optimizer steps completed.</summary>
    public int Steps { get; internal init; }

    /// <summary>Whether training was cancelled before its last step.</summary>
    public bool Cancelled { get; internal init; }

    /// <summary>The objective at the last step; NaN if there was none.</summary>
    public double Loss { get; internal init; }

    /// <summary>Tokens trained on per second.</summary>
    public double TokensPerSecond { get; internal init; }

    /// <summary>
    /// The final model's mean loss per token, or per labelled row, at each chain count from 1 on; empty without a validation
    /// set, and if training was cancelled.
    /// </summary>
    public IReadOnlyList<double> ValidationLosses { get; internal init => field = new ItemList<double>(value); } = new ItemList<double>([]);

    /// <summary>
    /// The task's metric, if there are <see cref="ValidationLosses"/>, at each chain count from 1 on: accuracy for
    /// classification, Pearson correlation for regression; empty for language modelling.
    /// </summary>
    public IReadOnlyList<double> ValidationMetrics { get; internal init => field = new ItemList<double>(value); } = new ItemList<double>([]);

    /// <summary>
    /// The step whose weights the model has: the last, or with <see cref="TrainingOptions.RestoreBest"/> that of the best
    /// validation.
    /// </summary>
    public int ModelStep { get; internal init; }

    /// <summary>The number of trained parameters.</summary>
    public long TrainedParameterCount { get; internal init; }

    /// <summary>Returns the summary in one line.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"{Steps} steps{(Cancelled ? ", cancelled" : "")}, weights of step {ModelStep}: loss {Loss:F4}, " +
        $"{TokensPerSecond:F0} tokens/s, {TrainedParameterCount:N0} parameters trained") +
        ListText.Named("validation losses", ValidationLosses) + ListText.Named("validation metrics", ValidationMetrics);
}
