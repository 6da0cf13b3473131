using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>A matrix of float32 or bfloat16 numbers in memory, or a part of one; nobody is kept from freeing it.</summary>
/// <param name="Address">Its first element.</param>
/// <param name="RowStride">Elements from a row to the next.</param>
/// <param name="ColumnStride">Elements from a column to the next.</param>
/// <param name="IsBFloat16">Whether its numbers are bfloat16.</param>
internal readonly record struct MatrixView(nint Address, long RowStride, long ColumnStride, bool IsBFloat16 = false)
{
    private int Size => IsBFloat16 ? BFloat16Element.Size : Float32Element.Size;

    /// <summary>The columns from one on.</summary>
    public MatrixView FromColumn(long column) => this with { Address = Address + (nint)(column * ColumnStride) * Size };

    /// <summary>The rows from one on.</summary>
    public MatrixView FromRow(long row) => this with { Address = Address + (nint)(row * RowStride) * Size };

    public MatrixView Transposed() => this with { RowStride = ColumnStride, ColumnStride = RowStride };

    /// <summary>A matrix on the CPU.</summary>
    public static MatrixView Of(Tensor matrix) => new(
        TensorMemory.Address(matrix), matrix.stride(0), matrix.stride(1), matrix.dtype == ScalarType.BFloat16);
}
