using Microsoft.ML.CoLM;
using TorchSharp;

namespace CheckFolder;

/// <summary>What a report says of the model.</summary>
internal static class ModelLines
{
    public static IEnumerable<(string Name, string Text)> Of(CoLMModelInfo info, string folder)
    {
        var config = info.Config;
        var heads = config.Layout.Heads;
        var keyValueHeads = config.KeyValueHeadCount ?? heads[0];
        var headDimension = config.HeadDimension ?? config.HiddenSize / heads[0];
        var size = info.DataTypes[0].ElementSize();
        yield return ("Type", config.WeightFormats.Any(format => format is not null)
            ? $"{info.DataTypes[0]}, with chains in {string.Join(", ", config.WeightFormats.Select(format => $"{format?.ToString() ?? "numbers"}"))}"
            : string.Join(", and some ", info.DataTypes));
        yield return ("Layout", Text($"{Chains(heads.Count)} {{{config.Layout}}} of attention heads, key-value heads {keyValueHeads}") +
            (heads.Count == 1 ? "" : config.KvSharing ? ", shared by all chains" : ", each chain with its own"));
        yield return ("", Text($"{config.LayerCount} layers, hidden size {config.HiddenSize}, feed-forward {config.IntermediateSize}, head dimension {headDimension}"));
        yield return ("", Text($"vocabulary {config.VocabularySize}, head {(config.TieWordEmbeddings ? "tied to the embedding" : "of its own")}"));
        yield return ("Context", Text($"{config.ContextLength} tokens; rope theta {config.RopeTheta}, ") +
            (config.RopeScaling is { } scaling ? $"scaling {scaling}" : "no scaling"));
        for (var chains = 1; chains <= heads.Count; chains++)
        {
            var parameters = info.ParameterCount(chains);
            // Without sharing a chain has keys and values in proportion to its heads.
            var keys = config.KvSharing ? keyValueHeads : (long)keyValueHeads * heads.Take(chains).Sum() / heads[0];
            yield return (chains == 1 ? "Parameters" : "", Text($"{parameters:N0} with {Chains(chains)}: ") +
                $"{Size.Of(WeightBytes(info, chains))} of weights, {Size.Of(2 * config.LayerCount * keys * headDimension * size)} of keys and values a token");
        }
        yield return ("Task", info.TaskSettings ?? "none; ElasticScoring(folder) says how probable texts are");
        yield return ("Can grow by", Growth.Describe(config));
        foreach (var file in Directory.EnumerateFiles(folder, "*.colm-tmp").Take(1))
            yield return ("Left over", $"{Path.GetFileName(file)}, of a save that was interrupted; the next one deletes it");
    }

    // A quantised chain's norms, which are not quantised, hardly count.
    private static long WeightBytes(CoLMModelInfo info, int chains) => Enumerable.Range(1, chains).Sum(chain =>
    {
        var parameters = info.ParameterCount(chain) - (chain == 1 ? 0 : info.ParameterCount(chain - 1));
        return info.Config.WeightFormats[chain - 1] switch
        {
            WeightFormat.Int8 => parameters * 34 / 32,
            WeightFormat.Int4 => parameters * 18 / 32,
            _ => parameters * info.DataTypes[0].ElementSize(),
        };
    });

    private static string Chains(int count) => count == 1 ? "1 chain" : Text($"{count} chains");

    private static string Text(FormattableString text) => FormattableString.Invariant(text);
}
