using System.Buffers;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>A sum of matrix products, target = Σ left · right, or with the target's elements added.</summary>
/// <param name="Target">[rows, columns], whose columns are neighbours; in bfloat16, its sums are rounded once.</param>
/// <param name="Rows">Rows of the target.</param>
/// <param name="Columns">Columns of the target.</param>
/// <param name="Terms">The products, in the order in which they are added.</param>
/// <param name="Adds">Whether to add to the target, or to replace it.</param>
internal sealed record TargetBlock(MatrixView Target, int Rows, int Columns, GemmTerm[] Terms, bool Adds = false)
{
    // So many sums in float32, before they are rounded, stay in the second-level cache.
    private const int RowsAtOnce = 256;
    private const int ColumnsAtOnce = 512;

    /// <summary>Multiplications of one of the target's elements.</summary>
    public long Depth => Terms.Sum(term => (long)term.Depth);

    /// <summary>Multiplications of all.</summary>
    public long Work => Rows * Depth * Columns;

    /// <summary>Computes a part of the target.</summary>
    public void Compute(int firstRow, int endRow, int firstColumn, int endColumn)
    {
        if (!Target.IsBFloat16)
        {
            Compute(Target.FromRow(firstRow).FromColumn(firstColumn), firstRow, endRow, firstColumn, endColumn, Adds);
            return;
        }
        for (var row = firstRow; row < endRow; row += RowsAtOnce)
        {
            for (var column = firstColumn; column < endColumn; column += ColumnsAtOnce)
                ComputeRounded(row, Math.Min(row + RowsAtOnce, endRow), column, Math.Min(column + ColumnsAtOnce, endColumn));
        }
    }

    private void Compute(MatrixView target, int firstRow, int endRow, int firstColumn, int endColumn, bool adds)
    {
        foreach (var (left, right, depth) in Terms)
        {
            PanelGemm.Multiply(left.FromRow(firstRow), right.FromColumn(firstColumn), target, endRow - firstRow,
                endColumn - firstColumn, depth, adds);
            adds = true;
        }
    }

    private unsafe void ComputeRounded(int firstRow, int endRow, int firstColumn, int endColumn)
    {
        var (rows, columns) = (endRow - firstRow, endColumn - firstColumn);
        var rounded = Target.FromRow(firstRow).FromColumn(firstColumn);
        var rented = ArrayPool<float>.Shared.Rent(rows * columns);
        fixed (float* sums = rented)
        {
            for (var row = 0; row < rows && Adds; row++)
                RowKernels.Widen<BFloat16Element>((void*)rounded.FromRow(row).Address, 0, sums + row * columns, columns);
            Compute(new MatrixView((nint)sums, columns, 1), firstRow, endRow, firstColumn, endColumn, Adds);
            for (var row = 0; row < rows; row++)
                RowKernels.Narrow<BFloat16Element>(sums + row * columns, (void*)rounded.FromRow(row).Address, 0, columns);
        }
        ArrayPool<float>.Shared.Return(rented);
    }
}
