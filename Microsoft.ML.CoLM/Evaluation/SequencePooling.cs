using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Inference;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>One vector for each token sequence: the pooled features that the head would read.</summary>
internal static class SequencePooling
{
    // Bounds memory, and the bytes of a tensor on the CPU are addressed by Int32: features that are copied at once.
    private const int NumbersAtOnce = 1 << 23;

    /// <summary>
    /// The normalised features of the first chains, pooled; of a sequence without tokens, zeros.
    /// </summary>
    /// <param name="model">The model.</param>
    /// <param name="sequences">Token ids.</param>
    /// <param name="chainCount">How many chains.</param>
    /// <param name="pooling">What becomes of a sequence's tokens.</param>
    /// <param name="lengths">
    /// How long sequences are divided: each token's features are those of the first window that it is in.
    /// </param>
    /// <param name="checkAlive">Called before every forward pass; what it throws ends scoring.</param>
    /// <param name="numbersAtOnce">Features that are copied at once; results are the same to the bit.</param>
    /// <returns>A vector of width D_≤k for each sequence.</returns>
    public static float[][] Pool(
        CoLMModel model, IReadOnlyList<IReadOnlyList<int>> sequences, int chainCount, FeaturePooling pooling,
        TextWindows lengths = default, Action? checkAlive = null, int numbersAtOnce = NumbersAtOnce)
    {
        using var use = SequenceScorer.Enter(model, sequences);
        var width = model.Config.Width(chainCount);
        double[][] sums = [.. sequences.Select(_ => new double[width])];
        var windows = Enumerable.Range(0, sequences.Count)
            .SelectMany(i => Windows(lengths.Reading(i, sequences[i].Count, model.Config), pooling));
        using var noGradients = no_grad();
        foreach (var batch in TokenBatches.LongestFirst(windows, window => window.TokensRead))
        {
            checkAlive?.Invoke();
            Add(model, new WindowBatch(sequences, batch), chainCount, sums, numbersAtOnce);
        }
        return [.. sums.Select((sum, i) => Array.ConvertAll(
            sum, value => (float)(value / (pooling == FeaturePooling.Mean ? Math.Max(1, sequences[i].Count) : 1))))];
    }

    private static IEnumerable<ScoringWindow> Windows(IEnumerable<ScoringWindow> windows, FeaturePooling pooling) =>
        pooling == FeaturePooling.Mean
            ? windows
            : windows.TakeLast(1).Select(window => window with { ScoredFrom = window.Length - 1 });

    // Summed here, column by column: libtorch's order of adding depends on the matrix's width, and the vector at few
    // chains is to be the beginning of that at more, to the bit.
    private static void Add(
        CoLMModel model, WindowBatch batch, int chainCount, double[][] sums, int numbersAtOnce)
    {
        using var scope = NewDisposeScope();
        var features = model.Features(
            batch.TokenIds(model.Device), new ChainRange(0, chainCount), lengths: batch.Lengths);
        var atOnce = (int)Math.Max(1, numbersAtOnce / features.size(1));
        foreach (var positions in batch.Positions.Chunk(atOnce))
        {
            using var part = NewDisposeScope();
            long[] rows = [.. positions.Select(position => position.Row)];
            var chosen = features.index_select(0, tensor(rows, device: model.Device)).to(float32).cpu();
            var values = MemoryMarshal.Cast<byte, float>(chosen.bytes);    // [positions, D]
            for (var i = 0; i < rows.Length; i++)
            {
                var sum = sums[positions[i].Sequence];
                var own = values.Slice(i * sum.Length, sum.Length);
                for (var column = 0; column < own.Length; column++)
                    sum[column] += own[column];
            }
        }
    }
}
