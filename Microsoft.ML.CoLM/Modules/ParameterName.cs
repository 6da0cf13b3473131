using System.Globalization;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>Names of a model's parameters: a module's path, then the chain, <c>norm.chain_2</c>.</summary>
internal static class ParameterName
{
    public const string Head = "lm_head";

    /// <summary>The module of a model's adapters.</summary>
    public const string Adapters = "adapters";

    /// <summary>The module of the head of the task that a model was tuned for.</summary>
    public const string TaskHead = "task_head";

    /// <summary>What a quantised matrix's codes are called below the chain.</summary>
    public const string Codes = "codes";

    /// <summary>What a quantised matrix's scales are called below the chain.</summary>
    public const string Scales = "scales";

    private const string ChainPrefix = "chain_";

    /// <summary>The last component of the name of a chain's weight.</summary>
    public static string OfChain(int chain) => string.Create(CultureInfo.InvariantCulture, $"{ChainPrefix}{chain + 1}");

    /// <summary>Whether a parameter is a chain's own, and not an adapter's or a task's head's.</summary>
    public static bool IsOfChains(string name) => !name.StartsWith($"{Adapters}.", StringComparison.Ordinal) &&
        !name.StartsWith($"{TaskHead}.", StringComparison.Ordinal);

    /// <summary>Whether a parameter is the codes or the scales of a quantised matrix.</summary>
    public static bool IsPacked(string name) =>
        name.EndsWith($".{Codes}", StringComparison.Ordinal) || name.EndsWith($".{Scales}", StringComparison.Ordinal);

    /// <summary>The module and the 0-based chain that a parameter belongs to.</summary>
    public static (string Module, int Chain) Parse(string name)
    {
        if (IsPacked(name))
            name = name[..name.LastIndexOf('.')];
        var dot = name.LastIndexOf('.');
        return (name[..dot],
            int.Parse(name.AsSpan(dot + 1 + ChainPrefix.Length), CultureInfo.InvariantCulture) - 1);
    }
}
