using System.Runtime.InteropServices;
using System.Runtime.Intrinsics;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>What packing a group by <see cref="Int4Codes"/>'s code book at a scale would lose.</summary>
internal static class CodeBookError
{
    /// <summary>Between two of the book's numbers, in their order: up to here, the lower one is nearer.</summary>
    public static readonly float[] Middles = [.. Enumerable.Range(0, Int4Codes.Book.Length - 1)
        .Select(i => (Int4Codes.Book[i] + Int4Codes.Book[i + 1]) / 2f)];

    private static readonly float[] Steps = [.. Enumerable.Range(0, Int4Codes.Book.Length - 1)
        .Select(i => (float)(Int4Codes.Book[i + 1] - Int4Codes.Book[i]))];

    /// <summary>The squared error, and the scale of least squared error for the same codes; no number where all are zero.</summary>
    public static (float Error, float Fitted) Of(ReadOnlySpan<float> weights, float scale)
    {
        Vector256<float> error = default, products = default, squares = default;
        var (scales, inverse) = (Vector256.Create(scale), Vector256.Create(1 / scale));
        foreach (var vector in MemoryMarshal.Cast<float, Vector256<float>>(weights))
        {
            var (scaled, code) = (vector * inverse, Vector256.Create((float)Int4Codes.Book[0]));
            for (var i = 0; i < Middles.Length; i++)
                code += Vector256.GreaterThan(scaled, Vector256.Create(Middles[i])) & Vector256.Create(Steps[i]);
            var left = vector - code * scales;
            error += left * left;
            products += vector * code;
            squares += code * code;
        }
        return (Vector256.Sum(error), Vector256.Sum(products) / Vector256.Sum(squares));
    }
}
