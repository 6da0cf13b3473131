using Microsoft.ML.CoLM.Chains;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>Next-token prediction on windows of a corpus: the loss of the chains that are trained.</summary>
/// <param name="model">The model; chains before <paramref name="frozenChains"/> run without gradients.</param>
/// <param name="frozenChains">How many first chains are frozen; 0 trains all.</param>
/// <param name="windows">Where the tokens come from.</param>
/// <param name="batchSize">Windows of a batch.</param>
/// <param name="scaleWeights">Weight of the cross-entropy at each trained scale; zero leaves it out.</param>
internal sealed class LanguageModelObjective(
    CoLMModel model, int frozenChains, TokenWindows windows, int batchSize, double[] scaleWeights) : BatchObjective
{
    public override CoLMModel Model => model;

    public override long BatchesOf(int epochs) => (long)windows.Count * epochs / batchSize;

    protected override BatchLoss Compute(long batch) => Loss(batch * batchSize, batchSize);

    /// <summary>The loss of some windows, with gradients.</summary>
    /// <param name="first">Number of the first window since the beginning of training.</param>
    /// <param name="count">How many windows.</param>
    public BatchLoss Loss(long first, int count)
    {
        using var scope = NewDisposeScope();
        var (inputs, targets) = windows.Batch(first, count, model.Device);
        var chains = new ChainRange(frozenChains, model.Config.ChainCount);
        using var prefix = frozenChains == 0 ? null : model.Prefix(inputs, frozenChains);
        var features = model.Features(inputs, chains, prefix);
        BeforeHead?.Invoke();
        var sum = model.Head.CrossEntropy(features, chains, prefix?.HeadInput, targets.view(-1), scaleWeights);
        var tokens = (long)count * windows.Length;
        return new(sum.MoveToOuterDisposeScope(), tokens, tokens);
    }
}
