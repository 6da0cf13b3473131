namespace Microsoft.ML.CoLM.Chains;

/// <summary>Where each chain's features lie in a row of all of them, and so how wide those of the first chains are together.</summary>
internal sealed class FeatureLayout
{
    public FeatureLayout(CoLMConfig config)
    {
        var chains = Enumerable.Range(0, config.ChainCount);
        Hidden = Offsets(chains.Select(config.Hidden));
        Queries = Offsets(chains.Select(config.QueryWidth));
        Intermediate = Offsets(chains.Select(config.Intermediate));
        KeyValues = Offsets(
            chains.Take(config.KeyValueChains).Select(chain => config.KeyValueHeads(chain) * config.HeadWidth));
    }

    /// <summary>For each chain its first feature, which is the width of the chains before it, and then the end of the last.</summary>
    public int[] Hidden { get; }

    /// <summary>As <see cref="Hidden"/>, in the queries.</summary>
    public int[] Queries { get; }

    /// <summary>As <see cref="Hidden"/>, in the feed-forward features.</summary>
    public int[] Intermediate { get; }

    /// <summary>As <see cref="Hidden"/>, in the keys; only chains that have keys of their own.</summary>
    public int[] KeyValues { get; }

    private static int[] Offsets(IEnumerable<int> widths)
    {
        List<int> offsets = [0];
        foreach (var width in widths)
            offsets.Add(offsets[^1] + width);
        return [.. offsets];
    }
}
