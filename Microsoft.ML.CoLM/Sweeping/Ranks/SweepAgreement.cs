using System.Runtime.ExceptionServices;
using System.Text;
using System.Text.Json;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Makes sure that all ranks run one sweep before any begins: where not, all throw.</summary>
internal static class SweepAgreement
{
    /// <summary>Compares what the ranks sweep with rank 0.</summary>
    /// <param name="communicator">The ranks.</param>
    /// <param name="describe">What this rank sweeps, by name; what it throws, it throws here, and the other ranks hear of it.</param>
    /// <exception cref="ArgumentException">A rank sweeps something else, or could not begin; the message names it and says what.</exception>
    public static void Check(Communicator communicator, Func<SortedDictionary<string, string>> describe)
    {
        SortedDictionary<string, string> own = [];
        ExceptionDispatchInfo? thrown = null;
        try
        {
            own = describe();
        }
        catch (Exception e)
        {
            thrown = ExceptionDispatchInfo.Capture(e);
        }
        var first = JsonSerializer.Deserialize<SortedDictionary<string, string>>(
            communicator.BytesOf(root: 0, JsonSerializer.SerializeToUtf8Bytes(own)))!;
        var fault = thrown is not null ? $"rank {communicator.Rank} cannot begin: {thrown.SourceException.Message}"
            : first.Count > 0 ? Differences(first, own, communicator.Rank) : "";
        var isFaulty = new double[communicator.Size];
        isFaulty[communicator.Rank] = fault.Length > 0 ? 1 : 0;
        communicator.Sum(isFaulty);
        List<string> faults = [];
        for (var rank = 0; rank < isFaulty.Length; rank++)
        {
            if (isFaulty[rank] > 0)
                faults.Add(Encoding.UTF8.GetString(communicator.BytesOf(rank, Encoding.UTF8.GetBytes(fault))));
        }
        thrown?.Throw();
        if (faults.Count > 0)
            throw new ArgumentException($"The ranks do not run the same sweep: {string.Join("; ", faults)}");
    }

    private static string Differences(SortedDictionary<string, string> first, SortedDictionary<string, string> own, int rank) =>
        string.Join(", ", first.Keys.Union(own.Keys).Order(StringComparer.Ordinal)
            .Where(name => first.GetValueOrDefault(name) != own.GetValueOrDefault(name))
            .Select(name => $"{name} is {first.GetValueOrDefault(name, "none")} on rank 0 and {own.GetValueOrDefault(name, "none")} on rank {rank}"));
}
