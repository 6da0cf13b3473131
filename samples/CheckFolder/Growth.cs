using Microsoft.ML.CoLM;

namespace CheckFolder;

/// <summary>Which chains a model can grow by.</summary>
internal static class Growth
{
    private const int Shown = 6;

    /// <summary>The smallest numbers of heads that fit, and the rule.</summary>
    public static string Describe(CoLMConfig config)
    {
        var heads = config.Layout.Heads[0];
        var groups = config.KeyValueHeadCount ?? heads;
        if (config.Layout.ChainCount > 1)
            return config.KvSharing ? Shared(config, heads, groups) : Own(config, heads, groups);
        return $"{Shared(config, heads, groups)}; with kvSharing: false {Own(config, heads, groups)}";
    }

    private static string Shared(CoLMConfig config, int heads, int groups)
    {
        var step = Multiple(groups, Whole(config.HiddenSize, heads), Whole(config.IntermediateSize, heads));
        return $"addedChains {Examples(step)}: multiples of {step} heads";
    }

    private static string Own(CoLMConfig config, int heads, int groups)
    {
        var step = Multiple(Whole(groups, heads), Whole(config.HiddenSize, heads), Whole(config.IntermediateSize, heads));
        return $"addedChains {Examples(step)}: multiples of {step} heads";
    }

    private static string Examples(int step) =>
        string.Join(" or ", Enumerable.Range(0, Shown / 2).Select(i => $"[{step << i}]").Append($"[{step}, {step}]"));

    // A chain has its heads' share of a width, which must be a whole number: every so many heads.
    private static int Whole(int width, int heads) => heads / Divisor(width, heads);

    private static int Multiple(params int[] numbers) => numbers.Aggregate((a, b) => a / Divisor(a, b) * b);

    private static int Divisor(int a, int b) => b == 0 ? a : Divisor(b, a % b);
}
