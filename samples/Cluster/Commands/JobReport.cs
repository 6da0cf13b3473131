using System.Diagnostics;
using ClusterSample.Client;

namespace ClusterSample.Commands;

/// <summary>Counts what a job does, and writes of it now and then.</summary>
internal sealed class JobReport(int everySeconds) : IProgress<ScoringProgress>
{
    private readonly SortedDictionary<string, int> _blocks = new(StringComparer.Ordinal);
    private readonly Stopwatch _clock = Stopwatch.StartNew();
    private long _written;
    private ScoringProgress _last;

    /// <summary>Called with the rows that are scored, after each block.</summary>
    public Action<long> Scored { get; set; } = _ => { };

    /// <summary>Blocks by silo.</summary>
    public IReadOnlyDictionary<string, int> Blocks => _blocks;

    public long Rows => _last.Rows;

    public void Report(ScoringProgress value)
    {
        _last = value;
        if (!value.IsScored)
            return;
        _blocks[value.SiloName] = _blocks.GetValueOrDefault(value.SiloName) + 1;
        if (_clock.Elapsed.TotalSeconds - _written >= everySeconds)
        {
            _written = (long)_clock.Elapsed.TotalSeconds;
            Console.WriteLine($"  {value.Rows} rows, {value.Rows / _clock.Elapsed.TotalSeconds:F0} a second");
        }
        Scored(value.Rows);
    }

    /// <summary>Writes who did what.</summary>
    public void WriteSilos()
    {
        foreach (var (silo, blocks) in _blocks)
            Console.WriteLine($"  silo {silo}: {blocks} blocks");
        Console.WriteLine($"  given to another silo: {_last.Retries} blocks");
    }
}
