using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>A float32 matrix in memory, or a part of one; nobody is kept from freeing it.</summary>
/// <param name="Address">Its first element.</param>
/// <param name="RowStride">Elements from a row to the next.</param>
/// <param name="ColumnStride">Elements from a column to the next.</param>
internal readonly record struct MatrixView(nint Address, long RowStride, long ColumnStride)
{
    /// <summary>The columns from one on.</summary>
    public MatrixView FromColumn(long column) => this with { Address = Address + (nint)(column * ColumnStride) * sizeof(float) };

    /// <summary>The rows from one on.</summary>
    public MatrixView FromRow(long row) => this with { Address = Address + (nint)(row * RowStride) * sizeof(float) };

    public MatrixView Transposed() => new(Address, ColumnStride, RowStride);

    /// <summary>A matrix on the CPU.</summary>
    public static MatrixView Of(Tensor matrix) => new(TensorMemory.Address(matrix), matrix.stride(0), matrix.stride(1));
}
