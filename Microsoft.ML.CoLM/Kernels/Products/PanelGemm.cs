using System.Runtime.CompilerServices;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>
/// A product of matrices on one thread, in float32. Blocks of both are packed so that a tile of the target, held in registers,
/// reads them from front to back out of the nearest caches (Goto and van de Geijn 2008).
/// </summary>
/// <remarks>An element is summed up in one order, to the bit, wherever in a matrix it stands.</remarks>
internal static unsafe class PanelGemm
{
    /// <summary>Rows of a tile.</summary>
    public const int TileRows = 8;

    /// <summary>Columns of a tile: two vectors of 16; narrower ones take it part by part.</summary>
    public const int TileColumns = 32;

    // Between the rows of a panel that is widened, so that they do not take each other's places in the first-level cache.
    private const int PanelStride = BlockDepth + Alignment;

    // Where a row of two packed vectors begins, a cache line does.
    private const int Alignment = 16;

    // A panel of the right matrix, this deep, stays in the first-level cache, a block of the left one in the second-level.
    private const int BlockDepth = 256;
    private const int BlockRows = 256;
    private const int BlockColumns = 512;

    [ThreadStatic]
    private static float[]? _packed;

    /// <summary>target = left · right, or target += left · right.</summary>
    /// <param name="left">[rows, depth].</param>
    /// <param name="right">[depth, columns].</param>
    /// <param name="target">[rows, columns], float32, whose columns are neighbours.</param>
    /// <param name="rows">Rows of the target.</param>
    /// <param name="columns">Columns of the target.</param>
    /// <param name="depth">Products of an element's sum.</param>
    /// <param name="adds">Whether to add to the target, or to replace it.</param>
    public static void Multiply(
        MatrixView left, MatrixView right, MatrixView target, int rows, int columns, int depth, bool adds)
    {
        switch (VectorWidth.Floats)
        {
            case 16: Multiply<Floats16>(left, right, target, rows, columns, depth, adds); break;
            case 8: Multiply<Floats8>(left, right, target, rows, columns, depth, adds); break;
            default: Multiply<Floats4>(left, right, target, rows, columns, depth, adds); break;
        }
    }

    /// <inheritdoc cref="Multiply(MatrixView, MatrixView, MatrixView, int, int, int, bool)"/>
    public static void Multiply<TFloats>(
        MatrixView left, MatrixView right, MatrixView target, int rows, int columns, int depth, bool adds)
        where TFloats : struct, IFloats<TFloats>
    {
        var packedLeft = Aligned(_packed ??= GC.AllocateUninitializedArray<float>(
            BlockDepth * (BlockRows + BlockColumns) + TileColumns * PanelStride + Alignment, pinned: true));
        var packedRight = packedLeft + BlockDepth * BlockRows;
        var panel = packedRight + BlockDepth * BlockColumns;
        for (var column = 0; column < columns; column += BlockColumns)
        {
            var width = Math.Min(BlockColumns, columns - column);
            for (var k = 0; k < depth; k += BlockDepth)
            {
                var deep = Math.Min(BlockDepth, depth - k);
                var block = right.FromRow(k).FromColumn(column);
                Pack<TFloats>(block.Transposed(), width, deep, TileColumns, panel, packedRight);
                for (var row = 0; row < rows; row += BlockRows)
                {
                    var height = Math.Min(BlockRows, rows - row);
                    block = left.FromRow(row).FromColumn(k);
                    Pack<TFloats>(block, height, deep, TileRows, panel, packedLeft);
                    MultiplyPacked<TFloats>(packedLeft, packedRight, height, width, deep,
                        (float*)target.FromRow(row).FromColumn(column).Address, target.RowStride, adds || k > 0);
                }
            }
        }
    }

    /// <summary>Packs rows [vectors, depth] into panels; what is not float32 is widened a panel at a time.</summary>
    private static void Pack<TFloats>(MatrixView rows, int vectors, int depth, int width, float* panel, float* to)
        where TFloats : struct, IFloats<TFloats>
    {
        if (rows.IsFloat32)
        {
            Panels.Pack((float*)rows.Address, rows.RowStride, rows.ColumnStride, vectors, depth, width, to);
            return;
        }
        for (var vector = 0; vector < vectors; vector += width, to += (long)width * depth)
        {
            var count = Math.Min(width, vectors - vector);
            var from = rows.FromRow(vector);
            if (rows.ColumnStride == 1)
            {
                Widen<TFloats>(from, count, depth, panel, PanelStride);
                Panels.Pack(panel, PanelStride, 1, count, depth, width, to);
            }
            else
            {
                Widen<TFloats>(from.Transposed(), depth, count, panel, width);
                Panels.Pack(panel, 1, width, count, depth, width, to);
            }
        }
    }

    [MethodImpl(KernelMethod.Compiled)]
    private static void Widen<TFloats>(MatrixView from, int rows, int columns, float* to, int stride)
        where TFloats : struct, IFloats<TFloats>
    {
        for (var row = 0; row < rows; row++, to += stride)
        {
            var source = from.FromRow(row);
            if (source.ColumnStride == 1)
            {
                source.Widen<TFloats>(to, columns);
                continue;
            }
            for (var column = 0; column < columns; column++)
                source.FromColumn(column).Widen<TFloats>(to + column, 1);
        }
    }

    private static void MultiplyPacked<TFloats>(
        float* left, float* right, int rows, int columns, int depth, float* target, long stride, bool adds)
        where TFloats : struct, IFloats<TFloats>
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
                    Tile<TFloats>(a, b, depth, to, stride, adds);
                    continue;
                }
                Tile<TFloats>(a, b, depth, whole, TileColumns, adds: false);
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

    /// <summary>A tile in parts of two vectors, with as many rows as there are registers for their sums.</summary>
    private static void Tile<TFloats>(float* a, float* b, int depth, float* target, long stride, bool adds)
        where TFloats : struct, IFloats<TFloats>
    {
        for (var column = 0; column < TileColumns; column += 2 * TFloats.Count)
        {
            if (TFloats.HasManyRegisters)
            {
                EightRows<TFloats>(a, b + column, depth, target + column, stride, adds);
                continue;
            }
            FourRows<TFloats>(a, b + column, depth, target + column, stride, adds);
            FourRows<TFloats>(a + TileRows / 2, b + column, depth, target + TileRows / 2 * stride + column, stride, adds);
        }
    }

    [MethodImpl(KernelMethod.Compiled)]
    private static void EightRows<TFloats>(float* a, float* b, int depth, float* target, long stride, bool adds)
        where TFloats : struct, IFloats<TFloats>
    {
        TFloats a0 = default, a1 = default, a2 = default, a3 = default;
        TFloats a4 = default, a5 = default, a6 = default, a7 = default;
        TFloats b0 = default, b1 = default, b2 = default, b3 = default;
        TFloats b4 = default, b5 = default, b6 = default, b7 = default;
        for (var k = 0; k < depth; k++, a += TileRows, b += TileColumns)
        {
            var (u, v) = (TFloats.Load(b), TFloats.Load(b + TFloats.Count));
            var w = TFloats.Create(a[0]);
            a0 = TFloats.MultiplyAdd(w, u, a0);
            b0 = TFloats.MultiplyAdd(w, v, b0);
            w = TFloats.Create(a[1]);
            a1 = TFloats.MultiplyAdd(w, u, a1);
            b1 = TFloats.MultiplyAdd(w, v, b1);
            w = TFloats.Create(a[2]);
            a2 = TFloats.MultiplyAdd(w, u, a2);
            b2 = TFloats.MultiplyAdd(w, v, b2);
            w = TFloats.Create(a[3]);
            a3 = TFloats.MultiplyAdd(w, u, a3);
            b3 = TFloats.MultiplyAdd(w, v, b3);
            w = TFloats.Create(a[4]);
            a4 = TFloats.MultiplyAdd(w, u, a4);
            b4 = TFloats.MultiplyAdd(w, v, b4);
            w = TFloats.Create(a[5]);
            a5 = TFloats.MultiplyAdd(w, u, a5);
            b5 = TFloats.MultiplyAdd(w, v, b5);
            w = TFloats.Create(a[6]);
            a6 = TFloats.MultiplyAdd(w, u, a6);
            b6 = TFloats.MultiplyAdd(w, v, b6);
            w = TFloats.Create(a[7]);
            a7 = TFloats.MultiplyAdd(w, u, a7);
            b7 = TFloats.MultiplyAdd(w, v, b7);
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

    [MethodImpl(KernelMethod.Compiled)]
    private static void FourRows<TFloats>(float* a, float* b, int depth, float* target, long stride, bool adds)
        where TFloats : struct, IFloats<TFloats>
    {
        TFloats a0 = default, a1 = default, a2 = default, a3 = default;
        TFloats b0 = default, b1 = default, b2 = default, b3 = default;
        for (var k = 0; k < depth; k++, a += TileRows, b += TileColumns)
        {
            var (u, v) = (TFloats.Load(b), TFloats.Load(b + TFloats.Count));
            var w = TFloats.Create(a[0]);
            a0 = TFloats.MultiplyAdd(w, u, a0);
            b0 = TFloats.MultiplyAdd(w, v, b0);
            w = TFloats.Create(a[1]);
            a1 = TFloats.MultiplyAdd(w, u, a1);
            b1 = TFloats.MultiplyAdd(w, v, b1);
            w = TFloats.Create(a[2]);
            a2 = TFloats.MultiplyAdd(w, u, a2);
            b2 = TFloats.MultiplyAdd(w, v, b2);
            w = TFloats.Create(a[3]);
            a3 = TFloats.MultiplyAdd(w, u, a3);
            b3 = TFloats.MultiplyAdd(w, v, b3);
        }
        Store(a0, b0, target, adds);
        Store(a1, b1, target += stride, adds);
        Store(a2, b2, target += stride, adds);
        Store(a3, b3, target + stride, adds);
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static void Store<TFloats>(TFloats left, TFloats right, float* target, bool adds)
        where TFloats : struct, IFloats<TFloats>
    {
        if (adds)
        {
            left += TFloats.Load(target);
            right += TFloats.Load(target + TFloats.Count);
        }
        left.Store(target);
        right.Store(target + TFloats.Count);
    }

    private static float* Aligned(float[] pinned)
    {
        const long Bytes = Alignment * sizeof(float);
        var address = (nint)Unsafe.AsPointer(ref pinned[0]);
        return (float*)((address + Bytes - 1) / Bytes * Bytes);
    }
}
