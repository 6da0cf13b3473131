using Microsoft.ML.CoLM.Kernels;

namespace Benchmarks;

/// <summary>Groups of four bits with a scale and an offset, both bfloat16, which are fitted by least squares.</summary>
internal static class OffsetGroups
{
    private const int Levels = 15;
    private const int Candidates = 17;
    private const int Refinements = 3;

    /// <summary>What rounding changes, relative to the weights.</summary>
    public static double Error(ReadOnlySpan<float> weights)
    {
        var (changed, all) = (0.0, 0.0);
        for (var first = 0; first + PackedWeight.GroupWidth <= weights.Length; first += PackedWeight.GroupWidth)
        {
            var group = weights.Slice(first, PackedWeight.GroupWidth);
            changed += Least(group);
            foreach (var weight in group)
                all += weight * weight;
        }
        return Math.Sqrt(changed / all);
    }

    private static double Least(ReadOnlySpan<float> group)
    {
        var (low, high) = (group[0], group[0]);
        foreach (var weight in group)
            (low, high) = (MathF.Min(low, weight), MathF.Max(high, weight));
        var least = low == high ? 0 : double.PositiveInfinity;
        for (var candidate = 0; candidate < Candidates && low < high; candidate++)
        {
            var share = 0.75f + 0.3f * candidate / (Candidates - 1);
            var scale = PackedScale.Nearest((high - low) * share / Levels);
            var offset = PackedScale.Nearest((low + high) / 2 - scale * Levels / 2);
            for (var refinement = 0; refinement < Refinements; refinement++)
                least = Math.Min(least, Refine(group, ref scale, ref offset));
        }
        return least;
    }

    private static double Refine(ReadOnlySpan<float> group, ref float scale, ref float offset)
    {
        var (error, codes, squares, sum, products) = (0.0, 0.0, 0.0, 0.0, 0.0);
        foreach (var weight in group)
        {
            var code = Math.Clamp(MathF.Round((weight - offset) / scale), 0, Levels);
            error += Math.Pow(weight - scale * code - offset, 2);
            codes += code;
            squares += code * code;
            sum += weight;
            products += weight * code;
        }
        var determinant = group.Length * squares - codes * codes;
        if (determinant != 0)
        {
            scale = PackedScale.Nearest((float)((group.Length * products - codes * sum) / determinant));
            offset = PackedScale.Nearest((float)((sum - scale * codes) / group.Length));
        }
        return error;
    }
}
