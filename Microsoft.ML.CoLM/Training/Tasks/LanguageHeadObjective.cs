using Microsoft.ML.CoLM.Chains;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>
/// Next-token prediction that trains the language heads alone: the published recipe for good small scales (paper,
/// section 4.3).
/// </summary>
/// <param name="model">The model, whose heads have a gradient and whose chains have none.</param>
/// <param name="windows">Where the tokens come from.</param>
/// <param name="batchSize">Windows of a batch.</param>
/// <param name="scaleWeights">Weight of the cross-entropy at each scale from 1 on; zero leaves it out.</param>
internal sealed class LanguageHeadObjective(CoLMModel model, TokenWindows windows, int batchSize, double[] scaleWeights)
    : BatchObjective
{
    public override CoLMModel Model => model;

    public override long BatchesOf(int epochs) => (long)windows.Count * epochs / batchSize;

    protected override BatchLoss Compute(long batch)
    {
        using var scope = NewDisposeScope();
        var (inputs, targets) = windows.Batch(batch * batchSize, batchSize, model.Device);
        var chains = new ChainRange(0, model.Config.ChainCount);
        using var prefix = model.Prefix(inputs, chains.End);
        BeforeHead?.Invoke();
        var sum = model.Head.CrossEntropy(prefix.HeadInput!, chains, earlier: null, targets.view(-1), scaleWeights);
        var tokens = (long)batchSize * windows.Length;
        return new(sum.MoveToOuterDisposeScope(), tokens, tokens);
    }
}
