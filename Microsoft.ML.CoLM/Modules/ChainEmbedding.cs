using Microsoft.ML.CoLM.Chains;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>Token embedding: chain i has a table V × D_i of its own.</summary>
internal sealed class ChainEmbedding(CoLMConfig config, Device device, ScalarType dtype) : ChainModule(
    nameof(ChainEmbedding),
    Enumerable.Range(0, config.ChainCount).Select(chain => new long[] { config.VocabularySize, config.Hidden(chain) }),
    device, dtype, formats: config.WeightFormats)
{
    /// <param name="tokenIds">[rows], Int64.</param>
    /// <param name="chains">The chains to look up.</param>
    /// <param name="type">The features' type.</param>
    /// <returns>[rows, D], the features of the range's chains beside each other.</returns>
    public Tensor forward(Tensor tokenIds, ChainRange chains, ScalarType type)
    {
        var tables = Matrices(chains);
        if (tables.Length == 1)
            return tables[0].Rows(tokenIds, type);
        using var scope = NewDisposeScope();
        return cat(Array.ConvertAll(tables, table => table.Rows(tokenIds, type)), dim: 1).MoveToOuterDisposeScope();
    }
}
