using Microsoft.ML.CoLM.Chains;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>Next-token prediction on windows of a corpus: the loss of the chains that are trained.</summary>
/// <param name="model">The model; chains before <paramref name="frozenChains"/> run without gradients.</param>
/// <param name="frozenChains">How many first chains are frozen; 0 trains all.</param>
/// <param name="windows">Where the tokens come from.</param>
/// <param name="scaleWeights">Weight of the cross-entropy at each trained scale; zero leaves it out.</param>
internal sealed class LanguageModelingTask(
    CoLMModel model, int frozenChains, TokenWindows windows, double[] scaleWeights)
{
    /// <summary>The model that is trained.</summary>
    public CoLMModel Model => model;

    /// <summary>Tokens of one window.</summary>
    public int WindowLength => windows.Length;

    /// <summary>Windows of an epoch.</summary>
    public int WindowCount => windows.Count;

    /// <summary>The loss of a batch of windows, with gradients.</summary>
    /// <param name="first">Number of the first window since the beginning of training.</param>
    /// <param name="count">Windows in the batch.</param>
    /// <returns>A scalar: mean over tokens, summed over the weighted scales.</returns>
    public Tensor Loss(long first, int count)
    {
        using var scope = NewDisposeScope();
        var (inputs, targets) = windows.Batch(first, count, model.Device);
        var chains = new ChainRange(frozenChains, model.Config.ChainCount);
        using var prefix = frozenChains == 0 ? null : model.Prefix(inputs, frozenChains);
        var scales = model.Scales(model.Features(inputs, chains, prefix), chains, prefix);
        Tensor? loss = null;
        for (var i = 0; i < scales.Count; i++)
        {
            if (scaleWeights[i] == 0)
                continue;
            var entropy = nn.functional.cross_entropy(scales[i].to(float32), targets.view(-1)).mul(scaleWeights[i]);
            loss = loss is null ? entropy : loss.add(entropy);
        }
        return loss!.MoveToOuterDisposeScope();
    }
}
