using Microsoft.ML.CoLM.Evaluation;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A cascade in a component's entry of an ML.NET zip.</summary>
internal static class CascadeEntry
{
    public static void Save(ZipWriter context, Cascade? cascade)
    {
        context.Writer.Write(cascade?.ChainCounts.Count ?? 0);
        foreach (var chainCount in cascade?.ChainCounts ?? [])
            context.Writer.Write(chainCount);
        foreach (var threshold in cascade?.Thresholds ?? [])
            context.Writer.Write(threshold);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <exception cref="ArgumentException">It is no cascade.</exception>
    public static Cascade? Load(ZipReader context)
    {
        var count = context.Reader.ReadInt32();
        if (count == 0)
            return null;
        // Not allocated at once: a broken file may name any number.
        var (chainCounts, thresholds) = (new List<int>(), new List<double>());
        for (var i = 0; i < count; i++)
            chainCounts.Add(context.Reader.ReadInt32());
        for (var i = 1; i < count; i++)
            thresholds.Add(context.Reader.ReadDouble());
        CascadeOptions.Check(chainCounts, thresholds);
        return new Cascade(chainCounts, thresholds);
    }
}
