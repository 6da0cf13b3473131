using ClusterSample.Blocks;
using ClusterSample.Contracts;
using Microsoft.ML;

namespace ClusterSample.Silo;

/// <summary>The model that a silo holds, at every chain count that it is asked for.</summary>
internal sealed class SiloModel : IDisposable
{
    private readonly ModelFile _file;
    private readonly ScoringThread _thread;
    private readonly Dictionary<int, ITransformer> _atChainCount = [];

    /// <param name="file">The model; disposed with this.</param>
    /// <param name="name">The silo's name.</param>
    /// <param name="chainCount">What the silo scores with unless a client says otherwise; null as the zip says.</param>
    /// <param name="threads">Threads of the arithmetic.</param>
    /// <exception cref="ArgumentOutOfRangeException">The model has fewer chains.</exception>
    public SiloModel(ModelFile file, string name, int? chainCount, int threads)
    {
        _file = file;
        At(chainCount);
        // The zip's own chain count is no other than the zip's.
        Description = new(name, file.Hash, chainCount == file.Scorer.ChainCount ? null : chainCount, threads, Environment.ProcessId);
        _thread = new ScoringThread(threads);
    }

    public SiloDescription Description { get; }

    /// <summary>Scores a block on the scoring thread; every error of the scoring is in the answer.</summary>
    public async Task<ScoringAnswer> Score(ScoringRequest request, CancellationToken cancellationToken)
    {
        if (request.ModelHash != _file.Hash)
        {
            return Answer(ScoringOutcome.Refused,
                error: $"Silo {Description.Name} holds the model of SHA-256 {_file.Hash}, expected {request.ModelHash}.");
        }
        try
        {
            return Answer(ScoringOutcome.Scored, await _thread.Run(() => ScoreBlock(request, cancellationToken), cancellationToken));
        }
        catch (Exception e) when (e is not OperationCanceledException)
        {
            return Answer(ScoringOutcome.Failed, error: e.Message);
        }
    }

    public void Dispose()
    {
        _thread.Dispose();
        foreach (var model in _atChainCount.Values)
            (model as IDisposable)?.Dispose();
        _file.Dispose();
    }

    private byte[] ScoreBlock(ScoringRequest request, CancellationToken cancellationToken)
    {
        var scored = At(request.ChainCount).Transform(BlockFormat.Read(_file.MLContext, request.Rows));
        DataViewSchema.Column[] columns = [.. request.Columns.Select(name => scored.Schema[name])];
        using var cursor = scored.GetRowCursor(columns);
        return BlockFormat.Write(_file.MLContext, RowBlock.Read(cursor, columns, int.MaxValue, cancellationToken));
    }

    // Of one thread at a time: the silo's before it serves, and the scoring thread afterwards.
    private ITransformer At(int? chainCount)
    {
        if (chainCount is not { } count)
            return _file.Model;
        if (!_atChainCount.TryGetValue(count, out var model))
            _atChainCount.Add(count, model = _file.Model.WithChainCount(count));
        return model;
    }

    private ScoringAnswer Answer(ScoringOutcome outcome, byte[]? scores = null, string? error = null) =>
        new(Description.Name, outcome, scores ?? [], error);
}
