using System.Collections.Concurrent;
using ClusterSample.Client;

namespace ClusterSample.Tests;

/// <summary>Scores a block as its index.</summary>
internal sealed class FakeSilo(
    string name, Func<InputBlock, CancellationToken, Task>? before = null, CancellationToken retired = default) : IScoringSilo
{
    private readonly ConcurrentQueue<long> _scored = new();

    public string Name => name;

    public CancellationToken Retired => retired;

    /// <summary>The blocks that it scored.</summary>
    public IReadOnlyCollection<long> Scored => _scored;

    public async Task<ScoredBlock> ScoreAsync(InputBlock block, CancellationToken cancellationToken)
    {
        await Task.Yield();
        if (before is not null)
            await before(block, cancellationToken);
        _scored.Enqueue(block.Index);
        return new(name, BitConverter.GetBytes(block.Index));
    }
}
