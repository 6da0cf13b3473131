using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>
/// Classifies sequences with few chains, and those whose margin is under a threshold with more, computed on top of what is
/// there.
/// </summary>
/// <param name="model">The model.</param>
/// <param name="head">The task's head.</param>
/// <param name="cascade">Chain counts that the model has, and the margin that is enough at each but the last.</param>
/// <param name="checkAlive">Called before every forward pass; what it throws ends scoring.</param>
internal sealed class CascadePredictor(CoLMModel model, ChainHead head, Cascade cascade, Action? checkAlive = null)
{
    private readonly long[] _featuresComputed = new long[model.Config.ChainCount];

    /// <summary>For each chain, from the first on: how many tokens' features were computed, padding included.</summary>
    public IReadOnlyList<long> FeaturesComputed => _featuresComputed;

    /// <summary>Classifies sequences; one without tokens stops at the first count, its outputs all alike.</summary>
    /// <param name="sequences">Token ids, at most as many as the model's context.</param>
    public Prediction[] Predict(IReadOnlyList<int[]> sequences)
    {
        using var use = SequenceScorer.Enter(model, sequences);
        var predictions = new Prediction[sequences.Count];
        Array.Fill(predictions, new(new float[head.Weight(0).size(0)], cascade.ChainCounts[0]));
        var read = Enumerable.Range(0, sequences.Count).Where(i => sequences[i].Length > 0);
        using var noGradients = no_grad();
        foreach (var chosen in TokenBatches.LongestFirst(read, i => sequences[i].Length))
            PredictTogether(sequences, chosen, predictions);
        return predictions;
    }

    private void PredictTogether(IReadOnlyList<int[]> sequences, int[] chosen, Prediction[] predictions)
    {
        using var scope = NewDisposeScope();
        var batch = new PaddedBatch(Array.ConvertAll(chosen, i => sequences[i]));
        using var stages = new PooledStages(model, batch, head.Pooling);
        Tensor? outputs = null;                                             // [sequences, outputs]
        for (var stage = 0; ; stage++)
        {
            checkAlive?.Invoke();
            var isLast = stage == cascade.ChainCounts.Count - 1;
            var (chains, features) = stages.Advance(cascade.ChainCounts[stage], isLast);
            for (var chain = chains.First; chain < chains.End; chain++)
                _featuresComputed[chain] += stages.Tokens(chain);
            outputs = head.forward(features, chains, outputs);
            var goingOn = Record(chosen, outputs, stage, predictions);
            if (isLast || goingOn.Length == 0)
                return;
            stages.Take(goingOn);
            outputs = outputs.index_select(0, tensor(Array.ConvertAll(goingOn, i => (long)i), device: model.Device));
            chosen = Array.ConvertAll(goingOn, i => chosen[i]);
        }
    }

    /// <summary>Writes down what sequences are at a stage.</summary>
    /// <returns>Which of them are not clear yet.</returns>
    private int[] Record(int[] chosen, Tensor outputs, int stage, Prediction[] predictions)
    {
        using var onCpu = outputs.cpu();
        var values = MemoryMarshal.Cast<byte, float>(onCpu.bytes);
        var width = values.Length / chosen.Length;
        List<int> unclear = [];
        for (var i = 0; i < chosen.Length; i++)
        {
            var own = values.Slice(i * width, width);
            predictions[chosen[i]] = new(own.ToArray(), cascade.ChainCounts[stage]);
            // A margin that is not a number is not above any threshold.
            if (stage < cascade.Thresholds.Count && !(Probabilities.Margin(own) >= cascade.Thresholds[stage]))
                unclear.Add(i);
        }
        return [.. unclear];
    }
}
