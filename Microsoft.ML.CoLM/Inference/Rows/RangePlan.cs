using Microsoft.ML.CoLM.Chains;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>What threads do when a range of chains is run for a few rows.</summary>
internal sealed class RangePlan
{
    // Weights, keys and values that are read between two meetings of the threads. Of fewer, meeting and fetching what the
    // others computed takes as long as one thread takes for all; more rows take longer to fetch and to compute alike.
    private const int FewestNumbersPerMeeting = 1 << 15;

    // Behind the embedding, and at the end.
    private const int OtherMeetings = 2;

    private readonly ProductTasks[] _products;
    private readonly long _weights;
    private readonly long _numbersPerPosition;

    public RangePlan(InferenceWeights weights, SlotBuffers slots, ChainRange chains, int threads)
    {
        Chains = chains;
        Heads = HeadGroup.Of(weights, chains);
        var columns = weights.Columns;
        List<int> own = [.. Enumerable.Range(chains.First, chains.Count)];
        List<int> keyValueChains = [.. own.Where(chain => chain < weights.Config.KeyValueChains)];

        Layers = [.. weights.Layers.Select(layer => new LayerPlan(
            Tasks(
            [
                .. own.Select(chain => New(layer.Query[chain], slots.Hidden, slots.Query, slots.Queries, columns.Queries[chain])),
                .. keyValueChains.Select(chain => New(
                    layer.Key[chain], slots.Hidden, slots.Key, slots.KeyValues, columns.KeyValues[chain])),
                .. keyValueChains.Select(chain => New(
                    layer.Value[chain], slots.Hidden, slots.Value, slots.KeyValues, columns.KeyValues[chain])),
            ]),
            Tasks(own.Select(chain => New(
                layer.Output[chain], slots.Queries, slots.Residual, slots.Hidden, columns.Hidden[chain], adds: true))),
            new ProductTasks([.. own.Select(chain => new[]
            {
                New(layer.Gate[chain], slots.Hidden, slots.Gate, slots.Intermediate, columns.Intermediate[chain]),
                New(layer.Up[chain], slots.Hidden, slots.Up, slots.Intermediate, columns.Intermediate[chain]),
            })], threads),
            Tasks(own.Select(chain => New(
                layer.Down[chain], slots.Intermediate, slots.Residual, slots.Hidden, columns.Hidden[chain], adds: true)))))];
        // Logits are added up chain by chain.
        Head = new ProductTasks([[.. own.Select(chain => New(
            weights.Head[chain], slots.Hidden, slots.Logits, slots.Vocabulary, column: 0, adds: chain > 0) with
        {
            XColumn = columns.Hidden[chain],
        })]], threads);
        _products = [.. Layers.SelectMany(layer => layer.All), Head];
        _weights = _products.Sum(products => products.Weights);
        // Keys and values.
        _numbersPerPosition = 2L * weights.Config.HeadWidth * Heads.Length * Layers.Length;

        ProductTasks Tasks(IEnumerable<ProductPiece> products) => new([.. products.Select(product => new[] { product })], threads);

        static ProductPiece New(WeightMatrix weight, int xStride, nint y, int yStride, int column, bool adds = false) =>
            new(weight, 0, weight.Outputs, xStride, XColumn: 0, y + (nint)column * sizeof(float), yStride, adds);
    }

    public ChainRange Chains { get; }

    public HeadGroup[] Heads { get; }

    public LayerPlan[] Layers { get; }

    /// <summary>The logits.</summary>
    public ProductTasks Head { get; }

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

    /// <summary>Makes it ready to be carried out again.</summary>
    public void Reset() => Array.ForEach(_products, static products => products.Reset());
}
