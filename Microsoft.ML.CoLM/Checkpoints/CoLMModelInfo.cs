using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

/// <summary>The contents of a model folder, without its weights; see <see cref="CoLMModel.Inspect"/>.</summary>
public sealed class CoLMModelInfo
{
    internal CoLMModelInfo(OpenModel files)
    {
        (Config, TaskSettings, Warnings) = (files.Config, files.Task?.Settings, new ItemList<string>(files.Warnings));
        EndTokenIds = files.EndTokenIds is { } ids ? new ItemList<int>(ids) : Config.EosTokenIds;
        var embedding = files.Weights.Select(entry => entry.File.StoredType(ChainTensors.FeaturesOf(Config))).First(type => type is not null);
        DataTypes = new ItemList<ScalarType>(
            files.Weights.SelectMany(entry => entry.File.StoredTypes).Prepend(embedding!.Value).Distinct());
        Tokenizer = files.Tokenizer?.CreateTokenizer();
        if (Tokenizer is not ModelTokenizer tokenizer)
            return;
        TokenizerSize = tokenizer.Tokens.Count;
        SpecialTokens = new ItemList<KeyValuePair<int, string>>(tokenizer.Tokens.Where(entry => entry.Value.IsSpecial)
            .OrderBy(entry => entry.Key).Select(entry => KeyValuePair.Create(entry.Key, entry.Value.Name)));
    }

    /// <summary>The model's architecture.</summary>
    public CoLMConfig Config { get; }

    /// <summary>
    /// The types that weights are stored in, beginning with the one that <see cref="CoLMModel.Load"/> uses by default.
    /// </summary>
    public IReadOnlyList<ScalarType> DataTypes { get; }

    /// <summary>The model's tokenizer; null if the folder has none.</summary>
    public Tokenizer? Tokenizer { get; }

    /// <summary>The number of tokens in the tokenizer, including special ones; 0 if the folder has none.</summary>
    public int TokenizerSize { get; }

    /// <summary>The special tokens with their ids, ordered by id.</summary>
    public IReadOnlyList<KeyValuePair<int, string>> SpecialTokens { get; } = [];

    /// <summary>
    /// The task that the model was tuned for, a JSON object with a <c>task</c>, its columns and its classes; null if it was not
    /// tuned.
    /// </summary>
    public string? TaskSettings { get; }

    /// <summary>The ids of the tokens that end a generated text.</summary>
    public IReadOnlyList<int> EndTokenIds { get; }

    /// <summary>Anomalies that were found and ignored, one sentence each.</summary>
    public IReadOnlyList<string> Warnings { get; }

    /// <summary>
    /// Returns the number of parameters of the first chains, which is the size of a model of that many chains.
    /// </summary>
    /// <param name="chainCount">The number of chains.</param>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="chainCount"/> is 0 or above the model's.</exception>
    public long ParameterCount(int chainCount)
    {
        Config.Layout.CheckChainCount(chainCount);
        return Enumerable.Range(0, chainCount).SelectMany(chain => ChainTensors.Of(Config, chain))
            .Sum(tensor => tensor.Shape.Aggregate(1L, (product, size) => product * size));
    }
}
