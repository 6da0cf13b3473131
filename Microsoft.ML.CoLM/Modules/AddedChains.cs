using System.Numerics;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>Refuses chains that a model cannot be grown by, and names those near them that it can.</summary>
internal static class AddedChains
{
    /// <param name="config">The model's.</param>
    /// <param name="heads">Attention heads of each new chain.</param>
    /// <param name="kvSharing">Whether the new chains share the first one's keys and values.</param>
    /// <param name="initialization">What their weights begin as.</param>
    /// <param name="option">The name of the option that they come from.</param>
    /// <exception cref="ArgumentException">One does not fit; the message names it, and the nearest that fit.</exception>
    public static void Check(
        CoLMConfig config, IReadOnlyList<int> heads, bool kvSharing, ChainInitialization initialization, string option)
    {
        var first = config.Heads(0);
        (string Reason, int Step)[] rules = initialization == ChainInitialization.CopyFirstChain ? [] : [.. Rules(config, kvSharing)];
        var step = rules.Aggregate(1, (all, rule) => all / (int)BigInteger.GreatestCommonDivisor(all, rule.Step) * rule.Step);
        for (var i = 0; i < heads.Count; i++)
        {
            if (initialization == ChainInitialization.CopyFirstChain)
            {
                if (heads[i] != first)
                    throw Misfit(i, "copies of the first chain have as many heads", $"the only number that fits is {first}");
            }
            else if (heads[i] < 1 || heads[i] % step != 0)
            {
                throw Misfit(i, string.Join(" and ", rules.Where(rule => rule.Step > 1).Select(rule => rule.Reason)
                    .DefaultIfEmpty("a chain has at least one head")), Nearest(heads[i], step));
            }
        }

        ArgumentException Misfit(int index, string reason, string nearest) => new(FormattableString.Invariant(
            $"{option}[{index}] is {heads[index]}, which as chain {config.ChainCount + index + 1} does not fit the model's {{{config.Layout}}}: {reason}; {nearest}."), option);
    }

    /// <summary>Why the heads of a chain must be a multiple of a number, and of which.</summary>
    private static IEnumerable<(string Reason, int Step)> Rules(CoLMConfig config, bool kvSharing)
    {
        var (first, groups) = (config.Heads(0), config.KeyValueHeads(0));
        yield return kvSharing
            ? ($"all chains share the first one's {groups} key-value heads", groups)
            : ($"every chain has key-value heads in the first one's proportion of {groups} to {first} attention heads", Share(groups));
        yield return ($"{nameof(config.IntermediateSize)} {config.IntermediateSize} is shared out in proportion to attention heads", Share(config.IntermediateSize));
        yield return ($"{nameof(config.HiddenSize)} {config.HiddenSize} is shared out in proportion to attention heads", Share(config.HiddenSize));

        int Share(int width) => first / (int)BigInteger.GreatestCommonDivisor(first, width);
    }

    private static string Nearest(int heads, int step)
    {
        var below = Math.Max(1, heads / step) * step;
        return FormattableString.Invariant($"the nearest that fit are {below} and {below + (long)step}");
    }
}
