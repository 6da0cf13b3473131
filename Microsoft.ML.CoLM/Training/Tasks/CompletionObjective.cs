using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Evaluation;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>Next-token prediction on the responses of examples alone, at every weighted scale.</summary>
/// <param name="features">The examples: prompts with their responses.</param>
/// <param name="examples">The same.</param>
/// <param name="order">Which examples stand in which batch.</param>
/// <param name="scaleWeights">Weight of the cross-entropy at each scale from 1 on; zero leaves it out.</param>
internal sealed class CompletionObjective(
    ExampleFeatures features, IReadOnlyList<CompletionTokens> examples, ExampleOrder order, double[] scaleWeights)
    : BatchObjective(order.Seed)
{
    public override CoLMModel Model => features.Model;

    public override long BatchesOf(int epochs) => (long)order.BatchesOfEpoch * epochs;

    protected override BatchLoss Compute(long batch)
    {
        using var scope = NewDisposeScope();
        var chosen = order.Examples(batch);
        var padded = features.Batch(chosen);
        List<long> rows = [], targets = [];
        for (var i = 0; i < chosen.Length; i++)
        {
            var example = examples[chosen[i]];
            for (var t = example.ResponseStart; t < example.Ids.Length; t++)
            {
                rows.Add(i * (long)padded.Length + t - 1);
                targets.Add(example.Ids[t]);
            }
        }
        var device = Model.Device;
        var read = features.Rows(chosen, padded, tensor(rows, device: device));        // [response tokens, D]
        BeforeHead?.Invoke();
        var sum = Model.Head.CrossEntropy(read, new ChainRange(0, Model.Config.ChainCount), earlier: null,
            tensor(targets, device: device), scaleWeights);
        return new(sum.MoveToOuterDisposeScope(), targets.Count, padded.TokenCount);
    }
}
