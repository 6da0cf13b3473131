using System.Globalization;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

/// <summary>Where a training run is, reported after every optimizer step.</summary>
public sealed class TrainingProgress
{
    internal TrainingProgress()
    {
    }

    /// <summary>Optimizer steps done.</summary>
    public int Step { get; internal init; }

    /// <summary>Optimizer steps of the whole run.</summary>
    public int TotalSteps { get; internal init; }

    /// <summary>The objective at this step, natural log, mean over its tokens.</summary>
    public double Loss { get; internal init; }

    /// <summary>The step's learning rate.</summary>
    public double LearningRate { get; internal init; }

    /// <summary>Tokens trained on each second, since the run began.</summary>
    public double TokensPerSecond { get; internal init; }

    /// <summary>Estimated time to the end of training.</summary>
    public TimeSpan TimeLeft { get; internal init; }

    /// <summary>
    /// After a validation, the mean loss of a token, or of a row that has a label, at each chain count from 1 on; otherwise
    /// empty.
    /// </summary>
    public IReadOnlyList<double> ValidationLosses { get; internal init => field = new ItemList<double>(value); } = new ItemList<double>([]);

    /// <summary>
    /// After a validation, the task's metric at each chain count from 1 on: accuracy in classification, Pearson's
    /// correlation in regression; otherwise, and in language modelling, empty.
    /// </summary>
    public IReadOnlyList<double> ValidationMetrics { get; internal init => field = new ItemList<double>(value); } = new ItemList<double>([]);

    /// <summary>All of it in a line.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"Step {Step} of {TotalSteps}: loss {Loss:F4}, learning rate {LearningRate:G4}, {TokensPerSecond:F0} tokens/s, " +
        $"{TimeSpan.FromSeconds(Math.Round(TimeLeft.TotalSeconds)):c} left") + ListText.Named("validation losses", ValidationLosses) +
        ListText.Named("validation metrics", ValidationMetrics);
}
