using Microsoft.ML.CoLM.Chains;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>The query heads that read one key-value head.</summary>
/// <param name="Chain">The chain whose keys and values they read.</param>
/// <param name="Head">The key-value head of that chain.</param>
/// <param name="HeadCount">Key-value heads of that chain.</param>
/// <param name="Column">Where the key-value head begins in a row of all keys.</param>
/// <param name="Columns">Where each query head begins in a row of all queries.</param>
internal sealed record HeadGroup(int Chain, int Head, int HeadCount, int Column, int[] Columns)
{
    /// <summary>The query heads of a range of chains.</summary>
    public static HeadGroup[] Of(InferenceWeights weights, ChainRange chains)
    {
        var config = weights.Config;
        var columns = new Dictionary<(int Chain, int Head), List<int>>();
        for (var chain = chains.First; chain < chains.End; chain++)
        {
            var source = config.KeyValueChain(chain);
            var queriesOfHead = config.Heads(chain) / config.KeyValueHeads(source);
            for (var query = 0; query < config.Heads(chain); query++)
            {
                var key = (source, query / queriesOfHead);
                if (!columns.TryGetValue(key, out var list))
                    columns.Add(key, list = []);
                list.Add(weights.Columns.Queries[chain] + query * config.HeadWidth);
            }
        }
        return [.. columns.Select(entry => new HeadGroup(entry.Key.Chain, entry.Key.Head,
            config.KeyValueHeads(entry.Key.Chain),
            weights.Columns.KeyValues[entry.Key.Chain] + entry.Key.Head * config.HeadWidth, [.. entry.Value]))];
    }
}
