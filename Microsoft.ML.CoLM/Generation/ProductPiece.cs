using Microsoft.ML.CoLM.Kernels;

namespace Microsoft.ML.CoLM.Generation;

/// <summary>Some outputs of a matrix product, as one thread computes them for a few rows.</summary>
/// <param name="Weight">The matrix.</param>
/// <param name="First">The first output.</param>
/// <param name="End">The output after the last.</param>
/// <param name="X">Inputs of slot 0.</param>
/// <param name="XStride">Floats from a slot to the next.</param>
/// <param name="Y">The matrix's outputs of slot 0.</param>
/// <param name="YStride">Floats from a slot to the next.</param>
/// <param name="Adds">Whether the product is added to what is there.</param>
internal readonly record struct ProductPiece(
    WeightMatrix Weight, int First, int End, nint X, int XStride, nint Y, int YStride, bool Adds)
{
    /// <summary>Hands each thread outputs of like cost.</summary>
    public static ProductPiece[][] Split(IReadOnlyList<ProductPiece> pieces, int threads)
    {
        var total = pieces.Sum(piece => piece.Cost);
        var shares = new List<ProductPiece>[threads];
        for (var thread = 0; thread < threads; thread++)
            shares[thread] = [];
        long before = 0;
        foreach (var piece in pieces)
        {
            var first = piece.First;
            for (var thread = 0; thread < threads && first < piece.End; thread++)
            {
                var mark = total * (thread + 1) / threads - before;
                var end = thread == threads - 1 ? piece.End : WholeGrains(piece.First + (int)Math.Clamp(
                    mark / piece.Weight.Width, 0, piece.End - piece.First), piece);
                if (end > first)
                    shares[thread].Add(piece with { First = first, End = end });
                first = Math.Max(first, end);
            }
            before += piece.Cost;
        }
        return [.. shares.Select(share => share.ToArray())];
    }

    /// <summary>How many weights threads' shares read.</summary>
    public static long Weights(IEnumerable<ProductPiece[]> shares) => shares.Sum(share => share.Sum(piece => piece.Cost));

    /// <summary>Computes the piece for neighbouring slots.</summary>
    public unsafe void Compute<TWeight>(int firstSlot, int rows)
        where TWeight : struct, IElement =>
        RowProducts.Multiply<TWeight>((float*)X + (long)firstSlot * XStride, XStride, rows, (void*)Weight.Address,
            Weight.Width, First, End, (float*)Y + (long)firstSlot * YStride, YStride, Adds);

    private long Cost => (long)(End - First) * Weight.Width;

    private static int WholeGrains(int end, ProductPiece piece)
    {
        const int Grain = 4;
        return Math.Min(piece.End, piece.First + (end - piece.First + Grain - 1) / Grain * Grain);
    }
}
