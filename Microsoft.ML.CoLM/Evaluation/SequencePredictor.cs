using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>A task head's outputs for token sequences, read from the features of each one that it pools.</summary>
internal static class SequencePredictor
{
    /// <summary>The outputs at some chain counts.</summary>
    /// <param name="model">The model.</param>
    /// <param name="head">The task's head.</param>
    /// <param name="sequences">Token ids, at most as many as the model's context.</param>
    /// <param name="reported">The scales to report: scale 1 is chain 0.</param>
    /// <param name="checkAlive">Called before every forward pass; what it throws ends scoring.</param>
    /// <returns>
    /// For each sequence, the outputs at each reported scale; zeros for a sequence without tokens, which has no features.
    /// </returns>
    public static float[][][] Outputs(
        CoLMModel model, ChainHead head, IReadOnlyList<int[]> sequences, ChainRange reported,
        Action? checkAlive = null)
    {
        using var use = SequenceScorer.Enter(model, sequences);
        var outputCount = head.Weight(0).size(0);
        float[][][] outputs = [.. sequences.Select(_ => Enumerable.Range(0, reported.Count)
            .Select(_ => new float[outputCount]).ToArray())];
        var read = Enumerable.Range(0, sequences.Count).Where(i => sequences[i].Length > 0);
        using var noGradients = no_grad();
        foreach (var chosen in TokenBatches.LongestFirst(read, i => sequences[i].Length))
        {
            checkAlive?.Invoke();
            using var scope = NewDisposeScope();
            var batch = new PaddedBatch(Array.ConvertAll(chosen, i => sequences[i]));
            var chains = new ChainRange(0, reported.End);
            using var stages = new PooledStages(model, batch, head.Pooling);
            var pooled = stages.Advance(chains.End, isLast: true).Features;    // [sequences, D]
            var scales = head.Scales(pooled, chains, earlier: null);
            for (var scale = reported.First; scale < reported.End; scale++)
            {
                var values = MemoryMarshal.Cast<byte, float>(scales[scale].cpu().bytes);   // [sequences, outputs]
                for (var i = 0; i < chosen.Length; i++)
                {
                    var own = outputs[chosen[i]][scale - reported.First];
                    values.Slice(i * own.Length, own.Length).CopyTo(own);
                }
            }
        }
        return outputs;
    }
}
