using System.Globalization;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMModel
{
    /// <summary>The number of chains in the model.</summary>
    public int ChainCount => Config.ChainCount;

    /// <summary>
    /// Returns a table of the model's parameters: those of each module and chain, their totals, and cumulative totals of the
    /// first chains.
    /// </summary>
    public override string ToString()
    {
        try
        {
            using var use = Enter();
            return Summary();
        }
        catch (ObjectDisposedException)
        {
            return $"{nameof(CoLMModel)} {{{Config.Layout}}}, disposed";
        }
    }

    private string Summary()
    {
        var counts = ChainModules()
            .SelectMany(entry => Enumerable.Range(0, entry.Module.ChainCount).Where(entry.Module.HasWeight)
                .Select(chain => (Module: ModuleOf(entry.Name), Chain: chain, Count: entry.Module.WeightCount(chain))))
            .ToLookup(entry => entry.Module);
        long[] totals = [.. Enumerable.Range(0, ChainCount).Select(chain => Sum(counts.SelectMany(group => group), chain))];
        var table = new TextTable();
        table.Add("Module", [.. counts.Select(group => group.Key), "all", "with those before"], widest: 40);
        for (var chain = 0; chain < ChainCount; chain++)
        {
            var own = chain;
            table.Add(string.Create(CultureInfo.InvariantCulture, $"Chain {chain + 1}"),
                [.. counts.Select(group => Number(Sum(group, own))), Number(totals[own]), Number(totals.Take(own + 1).Sum())],
                isRight: true);
        }
        var sharing = ChainCount == 1 ? "" : Config.KvSharing ? ", keys and values shared" : ", keys and values of each chain";
        var formats = Config.WeightFormats;
        var type = formats.Any(format => format is not null)
            ? $"{string.Join(", ", formats.Select(format => format?.ToString() ?? DataType.ToString()))} (features {DataType})"
            : DataType.ToString();
        return $"{nameof(CoLMModel)} {{{Config.Layout}}}{sharing}, {type} on {Device}\n\n{table}\n" +
            $"Parameters: {Number(totals.Sum())}, of which {Number(Trainable())} are trainable" +
            Further(ParameterName.Adapters, "adapters") + Further(ParameterName.TaskHead, "the task's head") +
            $"\nContext: {Number(Config.ContextLength)} tokens, vocabulary: {Number(Config.VocabularySize)}\n";
    }

    private long Trainable() => ChainParameters().Where(entry => entry.parameter.requires_grad).Sum(entry => entry.parameter.numel());

    private string Further(string module, string what)
    {
        var count = named_parameters().Where(entry => entry.name.StartsWith($"{module}.", StringComparison.Ordinal))
            .Sum(entry => entry.parameter.numel());
        return count == 0 ? "" : $"; beside them {Number(count)} of {what}";
    }

    // All layers are alike, so one row describes them all.
    private string ModuleOf(string path) => path.Split('.') is ["layers", _, var part, ..]
        ? string.Create(CultureInfo.InvariantCulture, $"{Config.LayerCount} x {part}") : path;

    private static long Sum(IEnumerable<(string Module, int Chain, long Count)> counts, int chain) =>
        counts.Where(entry => entry.Chain == chain).Sum(entry => entry.Count);

    private static string Number(long count) => count.ToString("N0", CultureInfo.InvariantCulture);
}
