using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Estimators;

namespace Microsoft.ML.CoLM;

public sealed partial class ElasticScoringEstimator
{
    /// <summary>Estimates the additional bytes that fitting takes: the weights that it loads.</summary>
    /// <exception cref="IOException">The model's folder, or its configuration, is missing.</exception>
    /// <exception cref="InvalidDataException">The model's configuration is broken or not supported.</exception>
    internal long MemoryOfFit()
    {
        if (_options.ModelFolder is not { } folder)
            return 0;
        var config = ModelFolder.ReadConfig(folder);
        if (_options.Format is { } format)
            config = config with { WeightFormats = [.. config.WeightFormats.Select(stored => stored ?? format)] };
        return FitMemory.OfChains(config, _options.DataType ?? ConfigJson.ReadDataType(config.SourceJson!, folder));
    }
}
