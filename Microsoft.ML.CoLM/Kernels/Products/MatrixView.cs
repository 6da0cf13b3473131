using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>A matrix of float32 or bfloat16 numbers or of packed ones, or a part of it; nobody is kept from freeing it.</summary>
/// <param name="Address">Its first element; of packed numbers, its place among all of the matrix's, output by output.</param>
/// <param name="RowStride">Elements from a row to the next.</param>
/// <param name="ColumnStride">Elements from a column to the next.</param>
/// <param name="IsBFloat16">Whether its numbers are bfloat16.</param>
/// <param name="Packed">What its numbers are packed in; null where they are not.</param>
internal readonly record struct MatrixView(
    nint Address, long RowStride, long ColumnStride, bool IsBFloat16 = false, PackedWeight? Packed = null)
{
    private int Size => Packed is not null ? 1 : IsBFloat16 ? BFloat16Element.Size : Float32Element.Size;

    /// <summary>Whether its numbers are float32, to be read in place.</summary>
    public bool IsFloat32 => Packed is null && !IsBFloat16;

    /// <summary>The columns from one on.</summary>
    public MatrixView FromColumn(long column) => this with { Address = Address + (nint)(column * ColumnStride) * Size };

    /// <summary>The rows from one on.</summary>
    public MatrixView FromRow(long row) => this with { Address = Address + (nint)(row * RowStride) * Size };

    public MatrixView Transposed() => this with { RowStride = ColumnStride, ColumnStride = RowStride };

    /// <summary>Widens neighbouring numbers, the matrix's first and those that follow it in memory.</summary>
    /// <param name="to">Gets them.</param>
    /// <param name="count">How many, of one row of what is not transposed.</param>
    public unsafe void Widen<TFloats>(float* to, int count)
        where TFloats : struct, IFloats<TFloats>
    {
        if (Packed is null)
            RowKernels.Widen<BFloat16Element, TFloats>((void*)Address, 0, to, count);
        else
            Packed.Widen((int)(Address / Packed.Width), (int)(Address % Packed.Width), count, to);
    }

    /// <summary>Packed numbers on the CPU.</summary>
    public static MatrixView Of(PackedWeight packed) => new(0, packed.Width, 1, Packed: packed);

    /// <summary>A matrix on the CPU.</summary>
    public static MatrixView Of(Tensor matrix) => new(
        TensorMemory.Address(matrix), matrix.stride(0), matrix.stride(1), matrix.dtype == ScalarType.BFloat16);
}
