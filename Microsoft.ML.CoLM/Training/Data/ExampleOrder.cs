using Microsoft.ML.CoLM.Inference;

namespace Microsoft.ML.CoLM.Training;

/// <summary>
/// Which examples stand in which batch: an order that the seed and the epoch alone decide, in which neighbours are of
/// like length, so that little is padded.
/// </summary>
/// <remarks>
/// An epoch's examples are shuffled, sorted by length within runs of <see cref="BatchesOfRun"/> batches and cut into
/// batches, which are shuffled again (what Hugging Face calls group_by_length). No batch holds examples of two epochs, and
/// each epoch's last-formed one may be smaller than the others.
/// </remarks>
internal sealed class ExampleOrder
{
    private const int BatchesOfRun = 50;

    private readonly int[] _lengths;
    private readonly int _batchSize;
    private readonly int _seed;
    private int _epoch = -1;
    private int[][] _batches = [];

    /// <param name="lengths">Tokens of each example.</param>
    /// <param name="batchSize">Examples of a batch.</param>
    /// <param name="seed">Decides the order.</param>
    public ExampleOrder(int[] lengths, int batchSize, int seed)
    {
        (_lengths, _batchSize, _seed) = (lengths, batchSize, seed);
        BatchesOfEpoch = (lengths.Length + batchSize - 1) / batchSize;
    }

    /// <summary>What decides the order.</summary>
    public int Seed => _seed;

    /// <summary>Batches of an epoch.</summary>
    public int BatchesOfEpoch { get; }

    /// <summary>The examples of a batch.</summary>
    /// <param name="batch">Number of the batch since the beginning of training.</param>
    public int[] Examples(long batch)
    {
        var epoch = checked((int)(batch / BatchesOfEpoch));
        if (epoch != _epoch)
            (_epoch, _batches) = (epoch, Shuffled(new Random(EpochSeed.Of(_seed, epoch))));
        return _batches[batch % BatchesOfEpoch];
    }

    private int[][] Shuffled(Random random)
    {
        int[] order = [.. Enumerable.Range(0, _lengths.Length)];
        random.Shuffle(order);
        int[][] batches =
        [
            .. order.Chunk(_batchSize * BatchesOfRun)
                .SelectMany(run => run.OrderBy(example => _lengths[example]).Chunk(_batchSize)),
        ];
        random.Shuffle(batches);
        return batches;
    }
}
