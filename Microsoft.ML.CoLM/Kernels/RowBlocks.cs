using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>Rows that libtorch's number of threads work on, block by block.</summary>
/// <remarks>
/// Where blocks begin depends on nothing but the rows, so that what is added up in each of them, and then of all, is the same
/// sum to the bit however many threads there are.
/// </remarks>
internal static class RowBlocks
{
    // Numbers of all rows: of fewer, waking a thread takes too large a part of the time.
    private const long Fewest = 1 << 15;

    /// <summary>How many blocks some rows are.</summary>
    public static int Count(int rows, int rowsOfBlock) => (rows + rowsOfBlock - 1) / rowsOfBlock;

    /// <summary>Calls a function with every block: its number, its first row, and where it ends.</summary>
    /// <param name="rows">How many rows.</param>
    /// <param name="rowsOfBlock">Rows of a block; the last may have fewer.</param>
    /// <param name="width">Numbers of a row.</param>
    /// <param name="work">The work.</param>
    public static void For(int rows, int rowsOfBlock, long width, Action<int, int, int> work)
    {
        var blocks = Count(rows, rowsOfBlock);
        var threads = rows * width < Fewest ? 1 : Math.Min(blocks, get_num_threads());
        var next = 0;
        if (threads <= 1)
            TakePart();
        else
            ParallelWork.For(threads, _ => TakePart());

        void TakePart()
        {
            while (Interlocked.Increment(ref next) is var taken && taken <= blocks)
            {
                var first = (taken - 1) * rowsOfBlock;
                work(taken - 1, first, Math.Min(rows, first + rowsOfBlock));
            }
        }
    }
}
