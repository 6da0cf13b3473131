namespace Microsoft.ML.CoLM.Inference;

/// <summary>Queries of one sequence and one key-value head that are worked on together.</summary>
/// <param name="Group">The heads.</param>
/// <param name="FirstRow">The first of the sequence's rows.</param>
/// <param name="EndRow">The row after the last of them.</param>
/// <param name="First">The first query, counted row by row.</param>
/// <param name="Count">Queries.</param>
internal readonly record struct QueryTile(HeadGroup Group, int FirstRow, int EndRow, int First, int Count)
{
    /// <summary>The row of a query.</summary>
    public int Row(int query) => FirstRow + (First + query) / Group.Columns.Length;

    /// <summary>Where a query begins in its row.</summary>
    public int Column(int query) => Group.Columns[(First + query) % Group.Columns.Length];

    /// <summary>Whether a tile is of the same rows and the same head.</summary>
    public bool ReadsAs(QueryTile other) => ReferenceEquals(Group, other.Group) && FirstRow == other.FirstRow;
}
