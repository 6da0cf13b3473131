using System.Collections.Concurrent;
using System.Numerics;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>Ranks that are threads of this process: another transport, as a user may write one.</summary>
internal sealed class ThreadRanks : Communicator
{
    private static readonly TimeSpan Patience = TimeSpan.FromMinutes(1);

    private readonly Group _group;

    private ThreadRanks(Group group, int rank) => (_group, Rank) = (group, rank);

    public override int Rank { get; }

    public override int Size => _group.Size;

    /// <summary>Runs something as every rank, and returns what each returns; a rank that throws fails for all.</summary>
    public static T[] Run<T>(int size, Func<Communicator, T> work)
    {
        var ends = RunAll(size, communicator =>
        {
            try
            {
                return work(communicator);
            }
            catch (Exception e)
            {
                communicator.Fail(e.Message);
                throw;
            }
        });
        Exception[] errors = [.. ends.Select(end => end.Thrown).OfType<Exception>()];
        return errors.Length == 0 ? [.. ends.Select(end => end.Result!)] : throw new AggregateException(errors);
    }

    /// <summary>Runs something as every rank, and gives what each returned or threw.</summary>
    public static (T? Result, Exception? Thrown)[] RunAll<T>(int size, Func<Communicator, T> work)
    {
        using var group = new Group(size);
        var tasks = Enumerable.Range(0, size).Select(rank => Task.Factory.StartNew(() =>
        {
            using var communicator = new ThreadRanks(group, rank);
            try
            {
                return ((T?)work(communicator), (Exception?)null);
            }
            catch (Exception e)
            {
                return (default, e);
            }
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();
        Assert.IsTrue(Task.WaitAll(tasks, Patience), "The ranks wait for each other.");
        return [.. tasks.Select(task => task.Result)];
    }

    public override void Sum(Span<float> values) => Add(values);

    public override void Sum(Span<double> values) => Add(values);

    public override void Broadcast(Span<byte> bytes, int root = 0)
    {
        CountBytes(bytes.Length);
        if (Rank == root)
            _group.Given[Rank] = bytes.ToArray();
        _group.Meet();
        ((byte[])_group.Given[root]!).CopyTo(bytes);
        _group.Meet();
    }

    public override void Barrier() => _group.Meet();

    public override void Send(ReadOnlySpan<byte> message, int rank)
    {
        CountBytes(message.Length);
        _group.Messages[rank, Rank].Enqueue(message.ToArray());
    }

    public override byte[]? TryReceive(int rank)
    {
        _group.ThrowIfFailed();
        return _group.Messages[Rank, rank].TryDequeue(out var message) ? message : null;
    }

    public override void Fail(string reason) => _group.Fail(Rank, reason);

    protected override void Dispose(bool disposing)
    {
    }

    private unsafe void Add<T>(Span<T> values)
        where T : unmanaged, INumber<T>
    {
        CountBytes((long)values.Length * sizeof(T));
        _group.Given[Rank] = values.ToArray();
        _group.Meet();
        values.Clear();
        foreach (var given in _group.Given)
        {
            for (var i = 0; i < values.Length; i++)
                values[i] += ((T[])given!)[i];
        }
        _group.Meet();
    }

    private sealed class Group : IDisposable
    {
        private readonly Barrier _barrier;
        private readonly CancellationTokenSource _failed = new();
        private CommunicatorException? _failure;

        public Group(int size)
        {
            (Size, Given, Messages, _barrier) = (size, new object?[size], new ConcurrentQueue<byte[]>[size, size], new Barrier(size));
            for (var i = 0; i < size * size; i++)
                Messages[i / size, i % size] = new();
        }

        public int Size { get; }

        public object?[] Given { get; }

        public ConcurrentQueue<byte[]>[,] Messages { get; }

        public void Meet()
        {
            try
            {
                _barrier.SignalAndWait(_failed.Token);
            }
            catch (OperationCanceledException)
            {
                ThrowIfFailed();
            }
        }

        public void Fail(int rank, string reason)
        {
            _failure ??= new CommunicatorException([rank], $"Rank {rank} failed: {reason}");
            _failed.Cancel();
        }

        public void ThrowIfFailed()
        {
            if (_failure is not null)
                throw _failure;
        }

        public void Dispose()
        {
            _barrier.Dispose();
            _failed.Dispose();
        }
    }
}
