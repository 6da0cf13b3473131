using System.CommandLine;
using System.CommandLine.Parsing;
using Microsoft.ML.CoLM;
using static TorchSharp.torch;

namespace Benchmarks;

/// <summary>A model whose later chains are trained: a folder's that grows by chains, or a random one of several.</summary>
internal sealed class GrowthOptions
{
    private static readonly int[] AddedByDefault = [8];

    public ModelOptions Model { get; } = new();

    public Option<ChainLayout> Chains { get; } = new("--chains")
    {
        Description = "attention heads of the chains that a folder's model is grown by [default: 8]",
        HelpName = "C1,C2,...",
        CustomParser = CommonOptions.ParseLayout,
    };

    /// <summary>All of them, in the order in which help shows them.</summary>
    public Option[] All => [.. Model.All, Chains];

    /// <summary>Refuses what is said of a folder where there is none, and a random model without later chains.</summary>
    public void Validate(CommandResult result)
    {
        Model.Validate(result);
        if (result.GetValue(Model.Model) is not null)
            return;
        if (result.GetValue(Chains) is not null)
            result.AddError("--chains is for --model; --layout names the chains of a random model.");
        if (result.GetValue(Model.Layout) is not { ChainCount: > 1 })
            result.AddError("--layout must name the first chain and those to train, such as 9,3.");
    }

    /// <summary>The model: its first chains frozen, and quantised where a format is given, the later ones new.</summary>
    public CoLMModel Grow(ParseResult result, Device device, WeightFormat? format = null)
    {
        var isRandom = result.GetValue(Model.Model) is null;
        using var start = !isRandom ? Model.Create(result, device)
            : Model.CreateRandom(Model.RandomConfig(result).WithChainCount(1), result, device);
        using var quantised = format is { } given ? start.Quantize(given) : null;
        return (quantised ?? start).Expand(AddedChains(result), result.GetValue(Model.KvSharing), seed: 1);
    }

    /// <summary>How many first chains are frozen.</summary>
    public int FrozenChains(ParseResult result, CoLMModel grown) =>
        grown.Config.Layout.ChainCount - AddedChains(result).Length;

    private int[] AddedChains(ParseResult result) => result.GetValue(Model.Model) is null
        ? [.. result.GetRequiredValue(Model.Layout).Heads.Skip(1)]
        : [.. result.GetValue(Chains)?.Heads ?? AddedByDefault];
}
