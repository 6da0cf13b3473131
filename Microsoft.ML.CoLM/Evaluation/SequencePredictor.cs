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
    /// <param name="share">Which batches are computed here; null for all.</param>
    /// <returns>
    /// For each sequence, the outputs at each reported scale; zeros for a sequence without tokens, which has no features.
    /// </returns>
    public static float[][][] Outputs(
        CoLMModel model, ChainHead head, IReadOnlyList<int[]> sequences, ChainRange reported,
        Action? checkAlive = null, BatchShare? share = null)
    {
        using var use = SequenceScorer.Enter(model, sequences);
        var outputCount = (int)head.Weight(0).size(0);
        var numbersOfRow = reported.Count * outputCount;
        float[][][] outputs = [.. sequences.Select(_ => Enumerable.Range(0, reported.Count)
            .Select(_ => new float[outputCount]).ToArray())];
        var read = Enumerable.Range(0, sequences.Count).Where(i => sequences[i].Length > 0);
        using var noGradients = no_grad();
        int[][] batches = [.. TokenBatches.LongestFirst(read, i => sequences[i].Length)];
        var numbers = (share ?? BatchShare.All).Compute(batches, chosen => chosen.Length * numbersOfRow, Compute);
        foreach (var (chosen, own) in batches.Zip(numbers))
        {
            for (var i = 0; i < own.Length; i++)
                outputs[chosen[i / numbersOfRow]][i % numbersOfRow / outputCount][i % outputCount] = (float)own[i];
        }
        return outputs;

        double[] Compute(int[] chosen)
        {
            checkAlive?.Invoke();
            using var scope = NewDisposeScope();
            var batch = new PaddedBatch(Array.ConvertAll(chosen, i => sequences[i]));
            var chains = new ChainRange(0, reported.End);
            using var stages = new PooledStages(model, batch, head.Pooling);
            var pooled = stages.Advance(chains.End, isLast: true).Features;    // [sequences, D]
            var scales = head.Scales(pooled, chains, earlier: null);
            var own = new double[chosen.Length * numbersOfRow];                            // [sequences, scales, outputs]
            for (var scale = reported.First; scale < reported.End; scale++)
            {
                var values = MemoryMarshal.Cast<byte, float>(scales[scale].cpu().bytes);   // [sequences, outputs]
                for (var i = 0; i < values.Length; i++)
                    own[i / outputCount * numbersOfRow + (scale - reported.First) * outputCount + i % outputCount] = values[i];
            }
            return own;
        }
    }
}
