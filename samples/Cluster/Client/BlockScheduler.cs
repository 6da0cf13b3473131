using System.Threading.Channels;

namespace ClusterSample.Client;

/// <summary>
/// Reads blocks, has silos score them, and gives the scores in the blocks' order. No more blocks than
/// <see cref="SchedulerOptions.InFlight"/> are read before the first of them is taken; the block that is needed first goes
/// first, also when it was lost with a silo.
/// </summary>
internal sealed class BlockScheduler : IDisposable
{
    private static readonly TimeSpan Tick = TimeSpan.FromMilliseconds(100);

    private readonly Func<InputBlock?> _read;
    private readonly SchedulerOptions _options;
    private readonly Func<string> _whyNoSilo;
    private readonly IProgress<ScoringProgress>? _progress;
    private readonly CancellationTokenSource _end;
    private readonly Channel<PendingBlock> _inOrder = Channel.CreateUnbounded<PendingBlock>();
    private readonly Lock _lock = new();
    private readonly PriorityQueue<PendingBlock, long> _waiting = new();
    private readonly SemaphoreSlim _waitingCount = new(0);
    private readonly SemaphoreSlim _places;
    private readonly Task _reading;
    private bool _hasTaken;
    private int _workers;
    private long _withoutSilo = Environment.TickCount64;
    private long _rows;
    private long _blocks;
    private int _retries;

    /// <param name="read">Reads the next block, on one thread at a time; null at the end.</param>
    /// <param name="options">How blocks are given to silos.</param>
    /// <param name="whyNoSilo">Says why there is no silo.</param>
    /// <param name="progress">Told of each block, on the threads that blocks come back on but one at a time.</param>
    /// <param name="cancellationToken">Ends it.</param>
    public BlockScheduler(
        Func<InputBlock?> read, SchedulerOptions options, Func<string> whyNoSilo, IProgress<ScoringProgress>? progress = null,
        CancellationToken cancellationToken = default)
    {
        (_read, _options, _whyNoSilo, _progress) = (read, options, whyNoSilo, progress);
        _end = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken);
        _places = new SemaphoreSlim(options.InFlight);
        _reading = Task.Run(ReadAsync, CancellationToken.None);
    }

    /// <summary>Gives blocks to a silo, too, until it retires.</summary>
    public void Join(IScoringSilo silo)
    {
        for (var place = 0; place < _options.BlocksPerSilo; place++)
        {
            lock (_lock)
                _workers++;
            _ = Task.Run(() => WorkAsync(silo), CancellationToken.None);
        }
    }

    /// <summary>The next block's scores; null after the last.</summary>
    /// <exception cref="RowsFailedException">Its rows cannot be scored.</exception>
    /// <exception cref="ScoringUnavailableException">There was no silo for too long.</exception>
    /// <exception cref="OperationCanceledException">It was cancelled.</exception>
    public ScoredBlock? Next()
    {
        // The block before was gone through.
        if (_hasTaken)
            _places.Release();
        _hasTaken = false;
        if (!_inOrder.Reader.WaitToReadAsync(_end.Token).AsTask().GetAwaiter().GetResult())
            return null;
        _inOrder.Reader.TryRead(out var next);
        while (Task.WaitAny([next!.Result], (int)Tick.TotalMilliseconds, _end.Token) < 0)
            CheckSilos();
        _hasTaken = true;
        return next.Result.GetAwaiter().GetResult();
    }

    /// <summary>Ends it; returns when no block is being read any more.</summary>
    public void Dispose()
    {
        _end.Cancel();
        _reading.Wait(CancellationToken.None);
    }

    private async Task ReadAsync()
    {
        try
        {
            while (true)
            {
                await _places.WaitAsync(_end.Token);
                if (_read() is not { } block)
                    break;
                var pending = new PendingBlock(block);
                _inOrder.Writer.TryWrite(pending);
                Wait(pending);
            }
            _inOrder.Writer.Complete();
        }
        catch (Exception e)
        {
            // Also what the rows' source throws: it is thrown where the rows before are through.
            _inOrder.Writer.Complete(e);
        }
    }

    private async Task WorkAsync(IScoringSilo silo)
    {
        try
        {
            using var stop = CancellationTokenSource.CreateLinkedTokenSource(_end.Token, silo.Retired);
            while (true)
            {
                await _waitingCount.WaitAsync(stop.Token);
                PendingBlock pending;
                lock (_lock)
                    pending = _waiting.Dequeue();
                if (!await ScoreAsync(silo, pending))
                    return;
            }
        }
        catch (OperationCanceledException)
        {
            // The silo retired, or all has ended.
        }
        finally
        {
            lock (_lock)
            {
                _workers--;
                _withoutSilo = Environment.TickCount64;
            }
        }
    }

    /// <returns>Whether the silo is to have another block.</returns>
    private async Task<bool> ScoreAsync(IScoringSilo silo, PendingBlock pending)
    {
        try
        {
            var scored = await silo.ScoreAsync(pending.Block, _end.Token);
            lock (_lock)
            {
                _rows += pending.Block.RowCount;
                _blocks++;
                Report(scored.SiloName, isScored: true);
            }
            pending.Complete(scored);
            return true;
        }
        catch (ScoringUnavailableException e)
        {
            if (++pending.Failures == _options.Attempts)
            {
                pending.Fail(RowsFailedException.Lost(pending.Block, pending.Failures, e));
                return false;
            }
            lock (_lock)
            {
                _retries++;
                Report(silo.Name, isScored: false);
            }
            Wait(pending);
            return false;
        }
        catch (Exception e) when (e is not OperationCanceledException || !_end.IsCancellationRequested)
        {
            pending.Fail(e);
            return true;
        }
    }

    private void Wait(PendingBlock pending)
    {
        lock (_lock)
            _waiting.Enqueue(pending, pending.Block.Index);
        _waitingCount.Release();
    }

    private void Report(string siloName, bool isScored) =>
        _progress?.Report(new(_rows, _blocks, _retries, siloName, isScored));

    private void CheckSilos()
    {
        lock (_lock)
        {
            if (_workers > 0 || Environment.TickCount64 - _withoutSilo < _options.Wait.TotalMilliseconds)
                return;
        }
        throw new ScoringUnavailableException(_whyNoSilo());
    }
}
