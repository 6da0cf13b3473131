using System.Globalization;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

/// <summary>The progress of a training run, reported after every optimizer step.</summary>
public sealed class TrainingProgress
{
    internal TrainingProgress()
    {
    }

    /// <summary>The number of optimizer steps completed.</summary>
    public int Step { get; internal init; }

    /// <summary>The number of optimizer steps of the whole run.</summary>
    public int TotalSteps { get; internal init; }

    /// <summary>The objective at this step, natural log, averaged over its tokens.</summary>
    public double Loss { get; internal init; }

    /// <summary>The learning rate of this step.</summary>
    public double LearningRate { get; internal init; }

    /// <summary>Tokens trained on per second since the run began.</summary>
    public double TokensPerSecond { get; internal init; }

    /// <summary>Estimated time remaining.</summary>
    public TimeSpan TimeLeft { get; internal init; }

    /// <summary>
    /// After a validation, the mean loss per token, or per labelled row, at each chain count from 1 on; otherwise empty.
    /// </summary>
    public IReadOnlyList<double> ValidationLosses { get; internal init => field = new ItemList<double>(value); } = new ItemList<double>([]);

    /// <summary>
    /// After a validation, the task's metric at each chain count from 1 on: accuracy for classification, Pearson correlation
    /// for regression; otherwise, and for language modelling, empty.
    /// </summary>
    public IReadOnlyList<double> ValidationMetrics { get; internal init => field = new ItemList<double>(value); } = new ItemList<double>([]);

    /// <summary>Returns the progress in one line.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"Step {Step} of {TotalSteps}: loss {Loss:F4}, learning rate {LearningRate:G4}, {TokensPerSecond:F0} tokens/s, " +
        $"{TimeSpan.FromSeconds(Math.Round(TimeLeft.TotalSeconds)):c} left") + ListText.Named("validation losses", ValidationLosses) +
        ListText.Named("validation metrics", ValidationMetrics);
}
