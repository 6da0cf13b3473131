using Microsoft.ML.CoLM.Chains;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>What threads do when a range of chains is run for a few rows, whoever's rows they are.</summary>
internal sealed class RangePlan
{
    // Weights, keys and values that are read between two meetings of the threads. Of fewer, meeting and fetching what the
    // others computed takes as long as one thread takes for all; more rows take longer to fetch and to compute alike.
    private const int FewestNumbersPerMeeting = 1 << 15;

    // Behind the embedding, and at the end.
    private const int OtherMeetings = 2;

    private readonly long _weights;
    private readonly long _numbersPerPosition;

    public RangePlan(InferenceWeights weights, ChainRange chains, int threads)
    {
        Chains = chains;
        Heads = HeadGroup.Of(weights, chains);
        var columns = weights.Columns;
        var (hidden, queries, keyValues, intermediate) =
            (columns.Hidden[^1], columns.Queries[^1], columns.KeyValues[^1], columns.Intermediate[^1]);
        List<int> own = [.. Enumerable.Range(chains.First, chains.Count)];
        List<int> keyValueChains = [.. own.Where(chain => chain < weights.Config.KeyValueChains)];

        Layers = [.. weights.Layers.Select(layer => new LayerPlan(
            Tasks(
            [
                .. own.Select(chain => New(layer.Query[chain], hidden, SlotBuffer.Query, queries, columns.Queries[chain])),
                .. keyValueChains.Select(chain => New(
                    layer.Key[chain], hidden, SlotBuffer.Key, keyValues, columns.KeyValues[chain])),
                .. keyValueChains.Select(chain => New(
                    layer.Value[chain], hidden, SlotBuffer.Value, keyValues, columns.KeyValues[chain])),
            ]),
            Tasks(own.Select(chain => New(
                layer.Output[chain], queries, SlotBuffer.Residual, hidden, columns.Hidden[chain], adds: true))),
            new GemvTasks([.. own.Select(chain => new[]
            {
                New(layer.Gate[chain], hidden, SlotBuffer.Gate, intermediate, columns.Intermediate[chain]),
                New(layer.Up[chain], hidden, SlotBuffer.Up, intermediate, columns.Intermediate[chain]),
            })], threads),
            Tasks(own.Select(chain => New(
                layer.Down[chain], intermediate, SlotBuffer.Residual, hidden, columns.Hidden[chain], adds: true)))))];
        // Logits are added up chain by chain.
        Head = new GemvTasks([[.. own.Select(chain => New(
            weights.Head[chain], hidden, SlotBuffer.Logits, weights.Config.VocabularySize, column: 0, adds: chain > 0) with
        {
            XColumn = columns.Hidden[chain],
        })]], threads);
        foreach (var tasks in (IEnumerable<GemvTasks>)[.. Layers.SelectMany(layer => layer.All), Head])
        {
            _weights += tasks.Weights;
            tasks.FirstCounter = CounterCount;
            CounterCount += tasks.CounterCount;
        }
        // Keys and values.
        _numbersPerPosition = 2L * weights.Config.HeadWidth * Heads.Length * Layers.Length;

        GemvTasks Tasks(IEnumerable<GemvPiece> products) => new([.. products.Select(product => new[] { product })], threads);

        static GemvPiece New(
            WeightMatrix weight, int xStride, SlotBuffer y, int yStride, int column, bool adds = false) =>
            new(weight, 0, weight.Outputs, xStride, XColumn: 0, y, yStride, column, adds);
    }

    public ChainRange Chains { get; }

    /// <summary>Numbers in which those who carry it out together note what they have taken: zeros at first.</summary>
    public int CounterCount { get; }

    public HeadGroup[] Heads { get; }

    public LayerPlan[] Layers { get; }

    /// <summary>The logits.</summary>
    public GemvTasks Head { get; }

    /// <summary>Whether one thread carries it out as soon as several, which would mostly wait for each other.</summary>
    /// <param name="rows">Those of a sequence beside each other.</param>
    /// <param name="needsLogits">Whether the head is computed, too.</param>
    public bool SuitsOneThread(ReadOnlySpan<DecodingRow> rows, bool needsLogits)
    {
        var numbers = needsLogits ? _weights : _weights - Head.Weights;
        for (var row = 0; row < rows.Length; row++)
        {
            // A sequence's rows read its keys and values together.
            if (row + 1 == rows.Length || rows[row + 1].Sequence != rows[row].Sequence)
                numbers += _numbersPerPosition * (rows[row].Position + 1);
        }
        return numbers < FewestNumbersPerMeeting * (long)(OtherMeetings + LayerPlan.Meetings * Layers.Length);
    }
}
