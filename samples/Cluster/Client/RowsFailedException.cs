namespace ClusterSample.Client;

/// <summary>Rows that cannot be scored, for what is in them or because silos die of them.</summary>
internal sealed class RowsFailedException(string message, Exception? inner = null) : InvalidOperationException(message, inner)
{
    /// <summary>The scoring itself failed.</summary>
    /// <param name="block">The rows.</param>
    /// <param name="error">What the library said, which counts rows from the block's first.</param>
    public static RowsFailedException Of(InputBlock block, string error) =>
        new($"{RowsOf(block)} could not be scored; counted from the first of them: {error}");

    /// <summary>Silo after silo was lost with the block.</summary>
    public static RowsFailedException Lost(InputBlock block, int attempts, Exception last) => new(
        FormattableString.Invariant($"{RowsOf(block)} were lost with {attempts} silos one after the other, the last time: ") +
        last.Message, last);

    private static string RowsOf(InputBlock block) =>
        FormattableString.Invariant($"Rows {block.FirstRow} to {block.FirstRow + block.RowCount - 1}");
}
