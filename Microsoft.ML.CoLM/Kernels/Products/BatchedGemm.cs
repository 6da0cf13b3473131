using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// Sums of matrix products, of float32 or bfloat16 numbers, that are computed together on the CPU, on all threads: those who
/// are free take what is left, piece by piece, so that none waits for another in between.
/// </summary>
/// <remarks>
/// An element is one sum in one order, to the bit, however the work is divided and whatever is computed beside it.
/// </remarks>
internal sealed class BatchedGemm
{
    // A piece has at least so many rows and columns: packing its matrices has to pay.
    private const int Least = 64;

    // Pieces for each thread, so that one that started late or was held up leaves its share to others.
    private const int PiecesPerThread = 4;

    // Multiplications of all: of fewer, waking a thread takes too large a part of the time.
    private const long Fewest = 1 << 21;

    private readonly List<Piece> _pieces = [];
    private int _next;

    /// <param name="blocks">Targets that do not overlap.</param>
    /// <param name="threads">Threads that will take part.</param>
    public BatchedGemm(IReadOnlyCollection<TargetBlock> blocks, int threads)
    {
        var work = blocks.Sum(block => block.Work);
        IsSmall = threads == 1 || work < Fewest;
        foreach (var block in blocks.OrderByDescending(block => block.Depth))
            Divide(block, IsSmall ? work : work / (threads * PiecesPerThread));
    }

    /// <summary>Whether one thread does it as soon.</summary>
    public bool IsSmall { get; }

    /// <summary>Computes blocks on libtorch's number of threads.</summary>
    public static void Run(IReadOnlyCollection<TargetBlock> blocks)
    {
        var threads = get_num_threads();
        var products = new BatchedGemm(blocks, threads);
        if (products.IsSmall)
            products.TakePart();
        else
            ParallelWork.For(threads, _ => products.TakePart());
    }

    /// <summary>Computes pieces as long as there are any.</summary>
    public void TakePart()
    {
        while (Interlocked.Increment(ref _next) is var next && next <= _pieces.Count)
        {
            var (block, firstRow, endRow, firstColumn, endColumn) = _pieces[next - 1];
            block.Compute(firstRow, endRow, firstColumn, endColumn);
        }
    }

    private void Divide(TargetBlock block, long most)
    {
        var (work, down, across) = (block.Work, 1, 1);
        while (work > most * down * across)
        {
            if (block.Rows / down >= block.Columns / across && block.Rows / (down + 1) >= Least)
                down++;
            else if (block.Columns / (across + 1) >= Least)
                across++;
            else if (block.Rows / (down + 1) >= Least)
                down++;
            else
                break;
        }
        for (var row = 0; row < down; row++)
        {
            for (var column = 0; column < across; column++)
            {
                _pieces.Add(new(block,
                    Mark(block.Rows, row, down, PanelGemm.TileRows),
                    Mark(block.Rows, row + 1, down, PanelGemm.TileRows),
                    Mark(block.Columns, column, across, PanelGemm.TileColumns),
                    Mark(block.Columns, column + 1, across, PanelGemm.TileColumns)));
            }
        }
    }

    /// <summary>Where a part of a length ends, in whole tiles.</summary>
    private static int Mark(int length, int part, int parts, int tile) =>
        (int)Math.Min(length, ((long)length * part / parts + tile - 1) / tile * tile);

    private readonly record struct Piece(TargetBlock Block, int FirstRow, int EndRow, int FirstColumn, int EndColumn);
}
