namespace Microsoft.ML.CoLM.Kernels;

/// <summary>A sum of matrix products, target = Σ left · right, or with the target's elements added.</summary>
/// <param name="Target">[rows, columns], whose columns are neighbours.</param>
/// <param name="Rows">Rows of the target.</param>
/// <param name="Columns">Columns of the target.</param>
/// <param name="Terms">The products, in the order in which they are added.</param>
/// <param name="Adds">Whether to add to the target, or to replace it.</param>
internal sealed record TargetBlock(MatrixView Target, int Rows, int Columns, ProductTerm[] Terms, bool Adds = false)
{
    /// <summary>Multiplications of one of the target's elements.</summary>
    public long Depth => Terms.Sum(term => (long)term.Depth);

    /// <summary>Multiplications of all.</summary>
    public long Work => Rows * Depth * Columns;

    /// <summary>Computes a part of the target.</summary>
    public void Compute(int firstRow, int endRow, int firstColumn, int endColumn)
    {
        var target = Target.FromRow(firstRow).FromColumn(firstColumn);
        var adds = Adds;
        foreach (var (left, right, depth) in Terms)
        {
            PackedProduct.Multiply(left.FromRow(firstRow), right.FromColumn(firstColumn), target, endRow - firstRow,
                endColumn - firstColumn, depth, adds);
            adds = true;
        }
    }
}
