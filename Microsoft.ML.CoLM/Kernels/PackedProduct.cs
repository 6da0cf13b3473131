using System.Runtime.CompilerServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// A product of float32 matrices on one thread. Blocks of both are packed so that a tile of the target, held in registers,
/// reads them from front to back out of the nearest caches (Goto and van de Geijn 2008).
/// </summary>
/// <remarks>Needs AVX-512. An element is summed up in one order, to the bit, wherever in a matrix it stands.</remarks>
internal static unsafe class PackedProduct
{
    /// <summary>Rows of a tile.</summary>
    public const int TileRows = 8;

    /// <summary>Columns of a tile: two vectors.</summary>
    public const int TileColumns = 2 * Lanes;

    private const int Lanes = 16;

    // A panel of the right matrix, this deep, stays in the first-level cache, a block of the left one in the second-level.
    private const int BlockDepth = 256;
    private const int BlockRows = 256;
    private const int BlockColumns = 512;

    [ThreadStatic]
    private static float[]? _packed;

    /// <summary>target = left · right, or target += left · right.</summary>
    /// <param name="left">[rows, depth].</param>
    /// <param name="right">[depth, columns].</param>
    /// <param name="target">[rows, columns], whose columns are neighbours.</param>
    /// <param name="rows">Rows of the target.</param>
    /// <param name="columns">Columns of the target.</param>
    /// <param name="depth">Products of an element's sum.</param>
    /// <param name="adds">Whether to add to the target, or to replace it.</param>
    public static void Multiply(
        MatrixView left, MatrixView right, MatrixView target, int rows, int columns, int depth, bool adds)
    {
        var packedLeft = Aligned(_packed ??= GC.AllocateUninitializedArray<float>(
            BlockDepth * (BlockRows + BlockColumns) + Lanes, pinned: true));
        var packedRight = packedLeft + BlockDepth * BlockRows;
        for (var column = 0; column < columns; column += BlockColumns)
        {
            var width = Math.Min(BlockColumns, columns - column);
            for (var k = 0; k < depth; k += BlockDepth)
            {
                var deep = Math.Min(BlockDepth, depth - k);
                var block = right.FromRow(k).FromColumn(column);
                Panels.Pack((float*)block.Address, right.ColumnStride, right.RowStride, width, deep, TileColumns, packedRight);
                for (var row = 0; row < rows; row += BlockRows)
                {
                    var height = Math.Min(BlockRows, rows - row);
                    block = left.FromRow(row).FromColumn(k);
                    Panels.Pack((float*)block.Address, left.RowStride, left.ColumnStride, height, deep, TileRows, packedLeft);
                    MultiplyPacked(packedLeft, packedRight, height, width, deep,
                        (float*)target.FromRow(row).FromColumn(column).Address, target.RowStride, adds || k > 0);
                }
            }
        }
    }

    private static void MultiplyPacked(
        float* left, float* right, int rows, int columns, int depth, float* target, long stride, bool adds)
    {
        var whole = stackalloc float[TileRows * TileColumns];
        for (var column = 0; column < columns; column += TileColumns)
        {
            for (var row = 0; row < rows; row += TileRows)
            {
                var to = target + row * stride + column;
                float* a = left + (long)row * depth, b = right + (long)column * depth;
                if (row + TileRows <= rows && column + TileColumns <= columns)
                {
                    Tile(a, b, depth, to, stride, adds);
                    continue;
                }
                Tile(a, b, depth, whole, TileColumns, adds: false);
                Copy(whole, to, stride, Math.Min(TileRows, rows - row), Math.Min(TileColumns, columns - column), adds);
            }
        }
    }

    /// <summary>The part of a tile that the target has.</summary>
    private static void Copy(float* tile, float* target, long stride, int rows, int columns, bool adds)
    {
        for (var row = 0; row < rows; row++)
        {
            for (var column = 0; column < columns; column++)
            {
                var sum = tile[row * TileColumns + column];
                var at = row * stride + column;
                target[at] = adds ? sum + target[at] : sum;
            }
        }
    }

    [MethodImpl(MethodImplOptions.AggressiveOptimization)]
    private static void Tile(float* a, float* b, int depth, float* target, long stride, bool adds)
    {
        Vector512<float> a0 = default, a1 = default, a2 = default, a3 = default;
        Vector512<float> a4 = default, a5 = default, a6 = default, a7 = default;
        Vector512<float> b0 = default, b1 = default, b2 = default, b3 = default;
        Vector512<float> b4 = default, b5 = default, b6 = default, b7 = default;
        for (var k = 0; k < depth; k++, a += TileRows, b += TileColumns)
        {
            var (u, v) = (Vector512.Load(b), Vector512.Load(b + Lanes));
            var w = Vector512.Create(a[0]);
            a0 = Vector512.FusedMultiplyAdd(w, u, a0);
            b0 = Vector512.FusedMultiplyAdd(w, v, b0);
            w = Vector512.Create(a[1]);
            a1 = Vector512.FusedMultiplyAdd(w, u, a1);
            b1 = Vector512.FusedMultiplyAdd(w, v, b1);
            w = Vector512.Create(a[2]);
            a2 = Vector512.FusedMultiplyAdd(w, u, a2);
            b2 = Vector512.FusedMultiplyAdd(w, v, b2);
            w = Vector512.Create(a[3]);
            a3 = Vector512.FusedMultiplyAdd(w, u, a3);
            b3 = Vector512.FusedMultiplyAdd(w, v, b3);
            w = Vector512.Create(a[4]);
            a4 = Vector512.FusedMultiplyAdd(w, u, a4);
            b4 = Vector512.FusedMultiplyAdd(w, v, b4);
            w = Vector512.Create(a[5]);
            a5 = Vector512.FusedMultiplyAdd(w, u, a5);
            b5 = Vector512.FusedMultiplyAdd(w, v, b5);
            w = Vector512.Create(a[6]);
            a6 = Vector512.FusedMultiplyAdd(w, u, a6);
            b6 = Vector512.FusedMultiplyAdd(w, v, b6);
            w = Vector512.Create(a[7]);
            a7 = Vector512.FusedMultiplyAdd(w, u, a7);
            b7 = Vector512.FusedMultiplyAdd(w, v, b7);
        }
        Store(a0, b0, target, adds);
        Store(a1, b1, target += stride, adds);
        Store(a2, b2, target += stride, adds);
        Store(a3, b3, target += stride, adds);
        Store(a4, b4, target += stride, adds);
        Store(a5, b5, target += stride, adds);
        Store(a6, b6, target += stride, adds);
        Store(a7, b7, target + stride, adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store(Vector512<float> left, Vector512<float> right, float* target, bool adds)
    {
        if (adds)
        {
            left += Vector512.Load(target);
            right += Vector512.Load(target + Lanes);
        }
        left.Store(target);
        right.Store(target + Lanes);
    }

    private static float* Aligned(float[] pinned)
    {
        const long Bytes = Lanes * sizeof(float);
        var address = (nint)Unsafe.AsPointer(ref pinned[0]);
        return (float*)((address + Bytes - 1) / Bytes * Bytes);
    }
}
