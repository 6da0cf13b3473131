using System.Globalization;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>Names of a model's parameters: a module's path, then the chain, <c>norm.chain_2</c>.</summary>
internal static class ParameterName
{
    public const string Head = "lm_head";

    private const string ChainPrefix = "chain_";

    /// <summary>The last component of the name of a chain's weight.</summary>
    public static string OfChain(int chain) => string.Create(CultureInfo.InvariantCulture, $"{ChainPrefix}{chain + 1}");

    /// <summary>The module and the 0-based chain that a parameter belongs to.</summary>
    public static (string Module, int Chain) Parse(string name)
    {
        var dot = name.LastIndexOf('.');
        return (name[..dot],
            int.Parse(name.AsSpan(dot + 1 + ChainPrefix.Length), CultureInfo.InvariantCulture) - 1);
    }
}
