using Microsoft.ML.CoLM.Training;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What a tuning is prepared from.</summary>
/// <param name="Model">The model, its chains and adapters as they will be trained.</param>
/// <param name="FrozenChains">How many first chains are frozen.</param>
/// <param name="Tokenizer">The model's tokenizer.</param>
/// <param name="Input">The rows to train on.</param>
/// <param name="Options">How, already checked.</param>
/// <param name="Seed">Seed of the head's weights and of the rows' order.</param>
/// <param name="Channel">Where messages go.</param>
internal sealed record TuningSetting(
    CoLMModel Model, int FrozenChains, Tokenizer Tokenizer, IDataView Input, ChainTuningEstimator.Options Options,
    int Seed, TrainingChannel Channel)
{
    /// <summary>Tokens of a row that are read.</summary>
    public int MaxLength => Math.Min(Options.SequenceLength, Model.Config.ContextLength);

    /// <summary>What the frozen chains compute, where rows are read more than once; null where none is to be kept.</summary>
    /// <param name="sequences">Token ids of each row.</param>
    /// <param name="ofLast">Whether tuned chains are computed at the last token of each row alone.</param>
    public FrozenFeatures? KeepFrozenFeatures(IReadOnlyList<int[]> sequences, bool ofLast)
    {
        var isReadTwice = Options.MaxSteps is { } steps
            ? (long)steps * Options.GradientAccumulationSteps * Options.BatchSize > sequences.Count
            : Options.Epochs > 1;
        return Options.ReuseFrozenFeatures && FrozenChains > 0 && isReadTwice
            ? new FrozenFeatures(Model, FrozenChains, sequences,
                new(Options.FrozenFeatureMemoryBytes, Options.FrozenFeatureDiskBytes, Folder: Options.FrozenFeatureFolder),
                Channel.Warn, ofLast)
            : null;
    }

    /// <summary>Weight of the loss at each scale from 1 on.</summary>
    /// <param name="firstScale">The first scale with a gradient, 0-based; those before it count only where the options say so.</param>
    /// <exception cref="ArgumentException">The options' weights are not as many as the model's chains.</exception>
    public double[] ScaleWeights(int firstScale)
    {
        var count = Model.Config.ChainCount;
        if (Options.ScaleWeights is { } given)
        {
            return given.Count == count ? [.. given] : throw new ArgumentException(
                $"{nameof(Options.ScaleWeights)} must have a weight for each of the model's {count} chains, found {given.Count}.");
        }
        return [.. Enumerable.Range(0, count).Select(scale => Options.Objective == TrainingObjective.MultiChain
            ? scale >= firstScale ? 1.0 : 0
            : scale == count - 1 ? 1 : 0)];
    }
}
