using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Training;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

public sealed partial class ChainTuningEstimator
{
    // Only the data tells whether the label is a number or how many classes it has; a head is small beside a chain.
    private const int FewestOutputs = 2;

    /// <summary>
    /// Estimates the additional bytes that fitting takes: added or copied chains, adapters, heads, their training state, and
    /// cached features of frozen chains; without a batch's features.
    /// </summary>
    /// <param name="data">The rows to train on; null if unknown, which counts cached features at their limit.</param>
    /// <exception cref="ArgumentException">The layout does not fit the model.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    internal long MemoryOfFit(IDataView? data)
    {
        var source = _options.Transformer!.Model;
        source.CheckUsable();
        var (type, isValidated) = (source.DataType, _options.ValidationSet is not null);
        var adapted = source.Adapters?.FirstChain ?? source.Config.ChainCount; // from here on, weights are merged
        if (_options.Task == TuningTask.LanguageHeads)
        {
            var heads = FitMemory.HeadParameters(source.Config with { TieWordEmbeddings = false }, firstChain: 0);
            return FitMemory.Sum(FitMemory.OfChains(source.Config, type, adapted), FitMemory.Bytes(heads, type),
                FitMemory.OfTraining(heads, type, _options, isValidated));
        }

        var added = _options.ChainsToAdd(source.Config);
        var config = added.Length == 0 ? source.Config : (source.Config with
        {
            Layout = source.Config.Layout.Append(added),
            KvSharing = KvSharing(source.Config),
        }).Validated();
        var frozenChains = Math.Min(_options.FrozenChains ?? config.ChainCount - 1, config.ChainCount);
        var tuned = FitMemory.Parameters(config, frozenChains);
        // Unchanged chains are shared, unless the model is grown or earlier adapters are merged into its weights.
        var shared = _options.Lora is null ? frozenChains : config.ChainCount;
        var copied = FitMemory.OfChains(config, type, added.Length > 0 ? 0 : Math.Min(adapted, shared), shared);
        var ofModel = FitMemory.Sum(copied, _options.Lora is null ? FitMemory.Bytes(tuned, type) : 0);
        return FitMemory.Sum(ofModel, OfTraining(config, frozenChains, tuned, type), OfFrozenFeatures(config, frozenChains, type, data));
    }

    private long OfTraining(CoLMConfig config, int frozenChains, long tuned, ScalarType type)
    {
        var isValidated = _options.ValidationSet is not null;
        // In float32 whatever the model's type.
        var exact = _options.Lora is { } lora ? FitMemory.AdapterParameters(config, frozenChains, lora) : 0;
        if (_options.Task == TuningTask.Label)
        {
            exact += (long)(_options.ClassWeights?.Count ?? FewestOutputs) * config.Width(config.ChainCount);
        }
        var ofExact = FitMemory.Bytes(exact, ScalarType.Float32);
        var training = FitMemory.OfTraining(exact, ScalarType.Float32, _options, isValidated);
        if (_options.Lora is not null)
        {
            // They are merged once the training state is freed.
            var merged = _options.Lora.MergeIntoWeights ? FitMemory.Bytes(tuned, type) : 0;
            return FitMemory.Sum(ofExact, Math.Max(training, merged));
        }
        var trained = _data.TrainsLanguageHeads ? tuned : tuned - FitMemory.HeadParameters(config, frozenChains);
        return FitMemory.Sum(ofExact, training, FitMemory.OfTraining(trained, type, _options, isValidated));
    }

    private long OfFrozenFeatures(CoLMConfig config, int frozenChains, ScalarType type, IDataView? data)
    {
        if (!_options.ReuseFrozenFeatures || frozenChains == 0 || (_options.MaxSteps is null && _options.Epochs == 1))
            return 0;
        if (data is null || _data.Columns.FindIn(data.Schema) is not { } columns)
            return _options.FrozenFeatureMemoryBytes;
        var maxLength = Math.Min(_options.SequenceLength, config.ContextLength);
        var (rows, tokens) = TokenEstimate.Of(data, columns, _options.Transformer!, maxLength);
        if (_options.MaxSteps is { } steps &&
            (Int128)steps * _options.GradientAccumulationSteps * _options.BatchSize <= rows)
        {
            return 0;
        }
        var ofLast = _options.Task == TuningTask.Label &&
            ExampleFeatures.NeedLastAlone(config, frozenChains, _options.Pooling);
        var numbers = FrozenSite.Of(config, frozenChains, ofLast)
            .Sum(site => (double)site.Groups * site.Width * (site.IsOfLast ? rows : tokens));
        return (long)Math.Min(numbers * type.ElementSize(), _options.FrozenFeatureMemoryBytes);
    }
}
