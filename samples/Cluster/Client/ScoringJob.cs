using ClusterSample.Blocks;
using ClusterSample.Contracts;
using Microsoft.ML;

namespace ClusterSample.Client;

/// <summary>The scoring of a view's rows by silos, once.</summary>
internal sealed class ScoringJob : IDisposable
{
    private readonly MLContext _mlContext;
    private readonly ScoringPlan _plan;
    private readonly int _blockSize;
    private readonly Func<byte[], ScoringRequest> _request;
    private readonly DataViewRowCursor _ahead;
    private readonly BlockScheduler _scheduler;
    private readonly IDisposable _subscription;
    private long _read;
    private long _blocks;

    /// <param name="mlContext">Whose binary format blocks are written in.</param>
    /// <param name="source">The rows.</param>
    /// <param name="plan">What is read and computed.</param>
    /// <param name="blockSize">Rows of a block.</param>
    /// <param name="request">Makes a request of a block's rows.</param>
    /// <param name="createScheduler">Makes what gives blocks to silos, from what reads them.</param>
    /// <param name="roster">The silos.</param>
    public ScoringJob(
        MLContext mlContext, IDataView source, ScoringPlan plan, int blockSize, Func<byte[], ScoringRequest> request,
        Func<Func<InputBlock?>, BlockScheduler> createScheduler, SiloRoster roster)
    {
        (_mlContext, _plan, _blockSize, _request) = (mlContext, plan, blockSize, request);
        _ahead = source.GetRowCursor(plan.Inputs);
        _scheduler = createScheduler(Read);
        _subscription = roster.Subscribe(_scheduler.Join);
    }

    /// <summary>The computed columns of the next block; null after the last.</summary>
    public RowBlock? Next()
    {
        if (_scheduler.Next() is not { } scored)
            return null;
        var view = BlockFormat.Read(_mlContext, scored.Scores);
        DataViewSchema.Column[] columns = [.. _plan.Computed.Select(column => view.Schema[column.Name])];
        using var cursor = view.GetRowCursor(columns);
        return RowBlock.Read(cursor, columns, int.MaxValue);
    }

    public void Dispose()
    {
        _subscription.Dispose();
        _scheduler.Dispose();
        _ahead.Dispose();
    }

    private InputBlock? Read()
    {
        var block = RowBlock.Read(_ahead, _plan.Inputs, _blockSize);
        if (block.RowCount == 0)
            return null;
        var first = _read;
        _read += block.RowCount;
        return new(_blocks++, first, block.RowCount, _request(BlockFormat.Write(_mlContext, block)));
    }
}
