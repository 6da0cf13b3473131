using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests;

/// <summary>Tiny models with random weights, so that tests need no files.</summary>
internal static class TestModels
{
    /// <summary>An architecture of two layers, 4 heads 4 wide and 2 KV heads in the first chain.</summary>
    public static CoLMConfig Config(params int[] chains) => new()
    {
        Layout = new ChainLayout(chains.Length == 0 ? [4] : chains),
        VocabularySize = 40,
        HiddenSize = 16,
        IntermediateSize = 24,
        LayerCount = 2,
        KeyValueHeadCount = 2,
        ContextLength = 64,
        BosTokenId = 1,
        EosTokenIds = [2],
    };

    /// <summary>A model whose parameters, norms included, are all random.</summary>
    public static CoLMModel Random(
        CoLMConfig config, int seed = 1, ScalarType dtype = ScalarType.Float32, double deviation = 0.5)
    {
        var model = new CoLMModel(config, CPU, dtype);
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)seed);
        foreach (var (_, parameter) in model.named_parameters())
            parameter.copy_(randn(parameter.shape, generator: generator).mul_(deviation));
        return model;
    }
}
