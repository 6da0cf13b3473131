using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>Attention where sequences are trees, without gradients.</summary>
internal static class TreeAttention
{
    /// <param name="queries">[groups, queries, length, d].</param>
    /// <param name="keys">[groups, 1, start + length, d].</param>
    /// <param name="values">[groups, 1, start + length, d].</param>
    /// <param name="trees">The trees.</param>
    /// <param name="start">Tokens of each tree before the queries'.</param>
    /// <returns>[groups, queries, length, d].</returns>
    public static Tensor Apply(Tensor queries, Tensor keys, Tensor values, TreeBatch trees, long start)
    {
        using var scope = NewDisposeScope();
        var end = start + queries.size(2);
        var stemEnd = Math.Clamp(trees.StemLength, start, end);
        List<Tensor> parts = [];
        if (stemEnd > start)
            parts.Add(OfStem(queries.narrow(2, 0, stemEnd - start), keys, values, start));
        var atOnce = trees.TokensAtOnce(queries.size(0));
        for (var first = stemEnd; first < end; first += atOnce)
        {
            var count = Math.Min(atOnce, end - first);
            parts.Add(OfBranches(queries.narrow(2, first - start, count), keys, values, trees, first));
        }
        return (parts.Count == 1 ? parts[0] : cat(parts, dim: 2)).MoveToOuterDisposeScope();
    }

    private static Tensor OfStem(Tensor queries, Tensor keys, Tensor values, long start)
    {
        var end = start + queries.size(2);
        var (read, mixed) = (keys.narrow(2, 0, end), values.narrow(2, 0, end));
        return start == 0
            ? AttentionFunction.Apply(queries, read, mixed)
            : AttentionFunction.Continue(queries, read, mixed, start);
    }

    private static Tensor OfBranches(Tensor queries, Tensor keys, Tensor values, TreeBatch trees, long first)
    {
        using var scope = NewDisposeScope();
        var count = queries.size(2);
        long firstRead = trees.FirstRead((int)first);
        var mask = trees.Mask((int)first, (int)count, queries.size(0), queries);
        return AttentionFunction.Chosen(queries, Read(keys), Read(values), mask).MoveToOuterDisposeScope();

        Tensor Read(Tensor all) => firstRead == trees.StemLength
            ? all.narrow(2, 0, first + count)
            : cat([all.narrow(2, 0, trees.StemLength), all.narrow(2, firstRead, first + count - firstRead)], dim: 2);
    }
}
