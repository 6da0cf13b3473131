using System.IO.Hashing;
using System.Reflection;
using System.Runtime.InteropServices;
using System.Text;
using System.Text.Json;
using Microsoft.ML.CoLM.Kernels;

namespace Microsoft.ML.CoLM.Training;

/// <summary>Finds ranks that train something else, or whose weights have come apart.</summary>
internal static class RankComparison
{
    private const string VersionName = "Microsoft.ML.CoLM of version";

    /// <summary>Refuses ranks whose training is another than rank 0's.</summary>
    /// <exception cref="ArgumentException">There are such ranks; every rank's message names them and what differs.</exception>
    public static void CheckAlike(TrainingRanks ranks, RunIdentity identity)
    {
        if (!ranks.AreSeveral)
            return;
        var own = Texts(identity);
        var first = JsonSerializer.Deserialize<Dictionary<string, string>>(ranks.FirstOf(JsonSerializer.SerializeToUtf8Bytes(own)))!;
        var difference = Encoding.UTF8.GetBytes(Difference(first, own));
        var areOther = new double[ranks.Size];
        areOther[ranks.Rank] = difference.Length > 0 ? 1 : 0;
        ranks.Communicator.Sum(areOther);
        List<string> differences = [];
        for (var rank = 0; rank < ranks.Size; rank++)
        {
            if (areOther[rank] == 0)
                continue;
            differences.Add($"rank {rank} has {Encoding.UTF8.GetString(ranks.Communicator.BytesOf(rank, difference))}");
        }
        if (differences.Count > 0)
        {
            throw ranks.Agreed(new ArgumentException(
                $"All ranks must train the same model on the same data with the same options, but {string.Join("; ", differences)}."));
        }
    }

    /// <summary>Refuses to go on with weights that are not the same on all ranks.</summary>
    /// <exception cref="InvalidOperationException">They are not; the message names the ranks.</exception>
    public static void CheckWeights(TrainingRanks ranks, TrainingRun run)
    {
        if (!ranks.AreSeveral)
            return;
        ulong[] hashes = [.. run.Parameters.Select(parameter => TensorMemory.Hash(parameter.Weights))];
        var hash = XxHash3.HashToUInt64(MemoryMarshal.AsBytes<ulong>(hashes));
        var halves = new double[2 * ranks.Size]; // numbers that add up exactly
        (halves[2 * ranks.Rank], halves[2 * ranks.Rank + 1]) = ((uint)hash, hash >> 32);
        ranks.Communicator.Sum(halves);
        int[] others = [.. Enumerable.Range(0, ranks.Size)
            .Where(rank => halves[2 * rank] != halves[0] || halves[2 * rank + 1] != halves[1])];
        if (others.Length > 0)
        {
            throw ranks.Agreed(new InvalidOperationException(FormattableString.Invariant(
                $"After step {run.Step}, the weights of rank {string.Join(", ", others)} are no longer those of rank 0. ") +
                "The ranks must run on processors of one kind, with the same libraries and settings; continue from the last checkpoint."));
        }
    }

    private static SortedDictionary<string, string> Texts(RunIdentity identity)
    {
        var texts = new SortedDictionary<string, string>(StringComparer.Ordinal);
        foreach (var (name, text) in identity.Options)
            texts.Add(name, text);
        texts[nameof(identity.Seed)] = FormattableString.Invariant($"{identity.Seed}");
        texts["the model"] = identity.Model;
        texts["the data"] = identity.Data;
        texts[VersionName] = typeof(RankComparison).Assembly
            .GetCustomAttribute<AssemblyInformationalVersionAttribute>()?.InformationalVersion ?? DecisiveOptions.None;
        return texts;
    }

    // Hashes say nothing to a reader.
    private static string Difference(IReadOnlyDictionary<string, string> first, IReadOnlyDictionary<string, string> own) =>
        string.Join(" and ", first.Keys.Union(own.Keys).Order(StringComparer.Ordinal)
            .Select(name => (Name: name, First: DecisiveOptions.Find(first, name), Own: DecisiveOptions.Find(own, name)))
            .Where(option => option.First != option.Own)
            .Select(option => option.Name.StartsWith("the ", StringComparison.Ordinal)
                ? $"another {option.Name[4..]} than rank 0" : $"{option.Name} {option.Own} where rank 0 has {option.First}"));
}
