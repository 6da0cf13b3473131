using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>Logits of first chains that later ones add to, and those of every scale after them.</summary>
internal static class PrefixLogits
{
    public static ChainFeatures PrefixWithLogits(this CoLMModel model, Tensor tokenIds, int chainCount)
    {
        using var noGradients = no_grad();
        var prefix = model.Prefix(tokenIds, chainCount);
        using var logits = model.Head.forward(prefix.HeadInput!, new ChainRange(0, chainCount), earlier: null);
        prefix.KeepLogits(logits);
        return prefix;
    }

    public static List<Tensor> Scales(
        this CoLMModel model, Tensor features, ChainRange chains, ChainFeatures? earlier = null) =>
        model.Head.Scales(features, chains, earlier?.Logits);
}
