using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Estimators;

namespace Microsoft.ML.CoLM;

public sealed partial class ChainExpansionEstimator
{
    /// <summary>
    /// Estimates the additional bytes that fitting takes: the grown model and its training state, without a batch's features.
    /// </summary>
    /// <exception cref="ArgumentException">The layout does not fit the model.</exception>
    /// <exception cref="IOException">The model's folder, or its configuration, is missing.</exception>
    /// <exception cref="InvalidDataException">The model's configuration is broken or not supported.</exception>
    internal long MemoryOfFit()
    {
        var start = _options.Architecture is null
            ? _options.Model?.Config ?? ModelFolder.ReadConfig(_options.ModelFolder!) : null;
        var config = (_options.Architecture ?? start! with
        {
            Layout = start.Layout.Append(_options.AddedChains),
            KvSharing = _options.KvSharing,
        }).Validated();
        var trained = FitMemory.Parameters(config, firstChain: start?.ChainCount ?? 0);
        var grown = FitMemory.OfChains(config, _options.DataType);
        var training = FitMemory.OfTraining(trained, _options.DataType, _options, _options.ValidationSet is not null);
        // A loaded model stays in memory until the grown one has its weights.
        var loaded = _options.ModelFolder is null ? 0 : FitMemory.OfChains(start!, _options.DataType);
        return FitMemory.Sum(grown, Math.Max(loaded, training));
    }
}
