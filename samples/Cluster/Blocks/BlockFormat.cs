using Microsoft.ML;
using Microsoft.ML.Data;

namespace ClusterSample.Blocks;

/// <summary>
/// Blocks as bytes, in ML.NET's own binary format: it has every type of a column that ML.NET can save, with key values and
/// slot names, and numbers to the bit.
/// </summary>
internal static class BlockFormat
{
    /// <summary>What Orleans takes in a message, less what else is in it.</summary>
    private const int LongestMessage = 100_000_000;

    /// <summary>Writes a block.</summary>
    /// <exception cref="InvalidOperationException">It is too long for a message.</exception>
    public static byte[] Write(MLContext mlContext, RowBlock block)
    {
        using var stream = new MemoryStream();
        mlContext.Data.SaveAsBinary(block, stream);
        return stream.Length <= LongestMessage ? stream.ToArray() : throw new InvalidOperationException(
            FormattableString.Invariant($"A block of {block.RowCount} rows takes {stream.Length} bytes, more than the ") +
            FormattableString.Invariant($"{LongestMessage} of a message: give --block fewer rows."));
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    public static IDataView Read(MLContext mlContext, byte[] bytes) => mlContext.Data.LoadFromBinary(new OneStream(bytes));

    /// <summary>Refuses columns whose type ML.NET cannot save.</summary>
    /// <exception cref="NotSupportedException">The message names the first of them.</exception>
    public static void Check(MLContext mlContext, IReadOnlyList<DataViewSchema.Column> columns)
    {
        foreach (var column in columns)
        {
            try
            {
                // Of several columns it would leave out those that it cannot save, and say nothing.
                Write(mlContext, RowBlock.Empty([column]));
            }
            catch (InvalidOperationException e)
            {
                throw new NotSupportedException(
                    $"Column '{column.Name}' is of type {column.Type}, which ML.NET cannot save, and so no block can carry.", e);
            }
        }
    }

    private sealed class OneStream(byte[] bytes) : IMultiStreamSource
    {
        public int Count => 1;

        public string? GetPathOrNull(int index) => null;

        public Stream Open(int index) => new MemoryStream(bytes, writable: false);

        public TextReader OpenTextReader(int index) => new StreamReader(Open(index));
    }
}
