using System.Collections.Concurrent;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>Ranks that are threads of one process.</summary>
internal sealed class ThreadRanks
{
    private readonly ConcurrentQueue<byte[]>[,] _messages;
    private readonly double[][] _numbers;
    private readonly Barrier _barrier;
    private readonly CancellationTokenSource _failed = new();
    private string _reason = "";

    private ThreadRanks(int size)
    {
        _messages = new ConcurrentQueue<byte[]>[size, size];
        for (var from = 0; from < size; from++)
        {
            for (var to = 0; to < size; to++)
                _messages[from, to] = new();
        }
        _numbers = new double[size][];
        _barrier = new(size);
    }

    /// <summary>Runs something as so many ranks, and gives what each returned or threw.</summary>
    public static (T? Result, Exception? Thrown)[] Run<T>(int size, Func<Communicator, T> run) where T : class
    {
        var ranks = new ThreadRanks(size);
        var tasks = Enumerable.Range(0, size).Select(rank => Task.Factory.StartNew(() =>
        {
            try
            {
                return ((T?)run(new Member(ranks, rank)), (Exception?)null);
            }
            catch (Exception e)
            {
                return (null, e);
            }
        }, CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default)).ToArray();
        Assert.IsTrue(Task.WaitAll(tasks, TimeSpan.FromMinutes(1)), "The ranks wait for each other.");
        return [.. tasks.Select(task => task.Result)];
    }

    private sealed class Member(ThreadRanks ranks, int rank) : Communicator
    {
        public override int Rank => rank;

        public override int Size => ranks._numbers.Length;

        public override void Sum(Span<float> values) => throw new NotSupportedException();

        public override void Sum(Span<double> values)
        {
            ranks._numbers[rank] = values.ToArray();
            Meet();
            for (var i = 0; i < values.Length; i++)
                values[i] = ranks._numbers.Sum(numbers => numbers[i]);
            Meet();
        }

        public override void Broadcast(Span<byte> bytes, int root = 0)
        {
            var numbers = bytes.ToArray().Select(value => rank == root ? (double)value : 0).ToArray();
            Sum(numbers);
            for (var i = 0; i < bytes.Length; i++)
                bytes[i] = (byte)numbers[i];
        }

        public override void Barrier() => Meet();

        public override void Send(ReadOnlySpan<byte> message, int to)
        {
            Check();
            ranks._messages[rank, to].Enqueue(message.ToArray());
        }

        public override byte[]? TryReceive(int from)
        {
            Check();
            return ranks._messages[from, rank].TryDequeue(out var message) ? message : null;
        }

        public override void Fail(string reason)
        {
            ranks._reason = $"Rank {rank} failed: {reason}";
            ranks._failed.Cancel();
        }

        protected override void Dispose(bool disposing)
        {
        }

        private void Meet()
        {
            try
            {
                ranks._barrier.SignalAndWait(ranks._failed.Token);
            }
            catch (OperationCanceledException)
            {
                Check();
            }
        }

        private void Check()
        {
            if (ranks._failed.IsCancellationRequested)
                throw new CommunicatorException([], ranks._reason);
        }
    }
}
