using System.CommandLine;
using System.Diagnostics;
using Microsoft.ML.CoLM;

namespace Benchmarks;

/// <summary>Sums over ranks, by their size: what an exchange costs by itself, without waiting for who computes.</summary>
internal sealed class ExchangeCommand : Benchmark
{
    // From a number alone to the gradients of 10, and of 100, million parameters.
    private static readonly int[] Counts = [1, 1 << 10, 1 << 16, 1 << 20, 10_000_000, 100_000_000];

    private readonly Option<int> _ranks = CommonOptions.Count("--ranks", "ranks", byDefault: 2);
    private readonly Option<int> _rounds = CommonOptions.Rounds(byDefault: 5);

    public ExchangeCommand() : base("exchange", "A sum of numbers over ranks, over MPI, by their count.") => Offer(_ranks, _rounds);

    protected override Report? Measure(ParseResult result)
    {
        if (!RankProcesses.AreThese)
        {
            var found = RankProcesses.Measure(result.GetValue(_ranks), threads: 1);
            var report = NewReport(result.GetValue(_ranks));
            foreach (var (name, milliseconds) in found)
                report.Add(name, new Samples([milliseconds]));
            return report;
        }
        using var communicator = Communicator.FromMpi();
        var own = NewReport(communicator.Size);
        foreach (var count in Counts)
        {
            var numbers = new float[count];
            var times = new List<double>();
            for (var round = 0; round <= result.GetValue(_rounds); round++)
            {
                communicator.Barrier();
                var start = Stopwatch.GetTimestamp();
                communicator.Sum(numbers);
                if (round > 0) // the first makes buffers and connections
                    times.Add(Stopwatch.GetElapsedTime(start).TotalMilliseconds);
            }
            own.Add($"{count:N0} numbers, {count * 4 / 1e6:G3} MB", new Samples(times));
        }
        return communicator.Rank == 0 ? own : null;
    }

    private static Report NewReport(int ranks) =>
        new("A sum over ranks, in float32", new Dictionary<string, object> { ["ranks"] = ranks });
}
