using System.Buffers.Binary;
using System.Diagnostics;
using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM.Training;

/// <summary>The ranks of an MPI job.</summary>
/// <remarks>
/// Every exchange is one of MPI's non-blocking ones, tested until it is complete: so a rank that waits hears of others that fail
/// or leave, and its time can be up, neither of which MPI itself provides. When it is, the rank asks the others what they wait
/// for. Those that wait, too, answer; a rank that was killed, is stopped or computes does not, and is named.
/// </remarks>
internal sealed unsafe class MpiCommunicator : Communicator
{
    // Larger ones make Open MPI 4.1 allocate and fault in a buffer for each exchange, which takes ten times as long
    // (samples/Benchmarks, exchange).
    internal const int BucketBytes = 4 << 20;

    private const int NoticeTag = 1;
    private const int LengthTag = 2;
    private const int MessageTag = 3;

    // While numbers flow, the next test comes at once; who waits for longer leaves the processor to others.
    private static readonly TimeSpan BriefWait = TimeSpan.FromMilliseconds(50);
    private static readonly TimeSpan BetweenNotices = TimeSpan.FromMilliseconds(1);

    // For the others' answers to the question what they wait for, and for messages of a failure to leave.
    private static readonly TimeSpan AnswerTime = TimeSpan.FromSeconds(3);
    private static readonly TimeSpan FarewellTime = TimeSpan.FromSeconds(1);

    private static int _begun;

    private readonly MpiLibrary _mpi;
    private readonly MpiThread _thread;
    private readonly SortedDictionary<int, string> _waiting = []; // of other ranks that answered: what they wait for
    private readonly HashSet<int> _left = [];
    private CommunicatorException? _broken;
    private bool _isDisposed;

    private MpiCommunicator(MpiLibrary mpi, MpiThread thread)
    {
        (_mpi, _thread) = (mpi, thread);
        int rank, size;
        Check(_mpi.SetErrorHandler(_mpi.Handles.World, _mpi.Handles.ErrorsReturn), "to begin");
        Check(_mpi.Rank(_mpi.Handles.World, &rank), "to begin");
        Check(_mpi.Size(_mpi.Handles.World, &size), "to begin");
        (Rank, Size, ReadsDeviceMemory) = (rank, size, mpi.ReadsCudaMemory);
    }

    public override int Rank { get; }

    public override int Size { get; }

    internal override bool ReadsDeviceMemory { get; }

    /// <inheritdoc cref="Communicator.FromMpi"/>
    public static MpiCommunicator Begin(TimeSpan? timeLimit)
    {
        if (timeLimit is { } given)
            OptionCheck.That(given > TimeSpan.Zero, nameof(timeLimit), given, "above 0, or null");
        var mpi = MpiLibrary.Load();
        if (Interlocked.Exchange(ref _begun, 1) != 0)
            throw new InvalidOperationException("MPI was begun in this process already, and can be begun only once: keep its communicator.");
        var thread = new MpiThread();
        try
        {
            MpiCommunicator? communicator = null;
            var limit = timeLimit ?? TimeSpan.FromMinutes(10);
            if (!thread.TryRun(() => communicator = Begin(mpi, thread), limit))
            {
                throw new CommunicatorException([], $"MPI did not begin within {limit}: not every process of the job" +
                    (MpiLauncher.Size is { } size ? $" of {size}" : "") + $" called {nameof(Communicator)}.{nameof(FromMpi)}.");
            }
            communicator!.TimeLimit = limit;
            return communicator;
        }
        catch
        {
            thread.Dispose();
            throw;
        }
    }

    public override void Sum(Span<float> values)
    {
        fixed (float* first = values)
            Sum((nint)first, values.Length, sizeof(float), _mpi.Handles.Float);
    }

    public override void Sum(Span<double> values)
    {
        fixed (double* first = values)
            Sum((nint)first, values.Length, sizeof(double), _mpi.Handles.Double);
    }

    internal override void SumDeviceMemory(nint address, int count) => Sum(address, count, sizeof(float), _mpi.Handles.Float);

    public override void Broadcast(Span<byte> bytes, int root = 0)
    {
        CheckRank(root);
        var length = bytes.Length;
        CountBytes(length);
        fixed (byte* first = bytes)
        {
            var start = first;
            Run($"a broadcast of {length} bytes from rank {root}", what =>
            {
                for (var done = 0; done < length; done += BucketBytes)
                {
                    nint request = 0;
                    Check(_mpi.Broadcast(start + done, Math.Min(BucketBytes, length - done), _mpi.Handles.Byte, root, _mpi.Handles.World, &request), what);
                    Wait(&request, what);
                }
            });
        }
    }

    public override void Barrier() => Run("a barrier", what =>
    {
        nint request = 0;
        Check(_mpi.Barrier(_mpi.Handles.World, &request), what);
        Wait(&request, what);
    });

    public override void Send(ReadOnlySpan<byte> message, int rank)
    {
        CheckOther(rank);
        CountBytes(message.Length);
        var length = message.Length;
        fixed (byte* first = message)
        {
            var start = first;
            Run($"rank {rank} to take a message of {length} bytes", what =>
            {
                var header = (long)length;
                Exchange(_mpi.Send, &header, sizeof(long), rank, LengthTag, what);
                Exchange(_mpi.Send, start, length, rank, MessageTag, what);
            });
        }
    }

    public override byte[]? TryReceive(int rank)
    {
        CheckOther(rank);
        byte[]? message = null;
        Run($"a message of rank {rank}", what =>
        {
            ReadNotices();
            if (!HasArrived(rank, LengthTag, what))
            {
                if (_left.Contains(rank))
                    throw Break([rank], $"Rank {rank} ended before {what}, for which rank {Rank} waits.");
                return;
            }
            long length;
            Exchange(_mpi.Receive, &length, sizeof(long), rank, LengthTag, what);
            message = new byte[length];
            fixed (byte* first = message)
                Exchange(_mpi.Receive, first, message.Length, rank, MessageTag, what);
        });
        return message;
    }

    public override void Fail(string reason)
    {
        if (_isDisposed || _broken is not null)
            return;
        _thread.TryRun(() =>
        {
            Tell(new(RankNotice.Meaning.Failed, Rank, reason), FarewellTime);
            _broken ??= new CommunicatorException([Rank], $"Rank {Rank}, this one, failed: {reason}");
        });
    }

    protected override void Dispose(bool disposing)
    {
        if (_isDisposed || !disposing)
            return;
        _isDisposed = true;
        // MPI ends for all ranks or for none: one that waited in MPI's own end for a rank that is gone would wait for ever.
        _thread.TryRun(() =>
        {
            if (_broken is null && EndedTogether())
                _ = _mpi.Finish();
        });
        _thread.Dispose();
    }

    private static MpiCommunicator Begin(MpiLibrary mpi, MpiThread thread)
    {
        int begun, level;
        if (mpi.Initialized(&begun) != 0 || begun != 0)
            throw new InvalidOperationException("MPI was begun in this process by other code: it must be left to the communicator.");
        if (mpi.ErrorText(mpi.InitThread(null, null, MpiLibrary.Funneled, &level)) is { Length: > 0 } error)
            throw new CommunicatorException([], $"{mpi.Version} could not begin: {error}.");
        var communicator = new MpiCommunicator(mpi, thread);
        if (MpiLauncher.Size is { } size && size != communicator.Size)
        {
            throw new InvalidOperationException($"This process was started as one of {size}, but {mpi.Version} says that it is " +
                $"one of {communicator.Size}: it is not the MPI that started it. Start the program with that MPI's mpirun, or " +
                $"name the right library in {MpiLibrary.PathVariable}.");
        }
        return communicator;
    }

    private void Sum(nint address, long length, int elementSize, nint type)
    {
        CountBytes(length * elementSize);
        var elements = BucketBytes / elementSize;
        Run($"a sum of {length} numbers", what =>
        {
            for (var done = 0L; done < length; done += elements)
            {
                nint request = 0;
                var first = (byte*)address + done * elementSize;
                Check(_mpi.AllReduce(_mpi.Handles.InPlace, first, (int)Math.Min(elements, length - done), type, _mpi.Handles.Sum, _mpi.Handles.World, &request), what);
                Wait(&request, what);
            }
        });
    }

    private void Run(string what, Action<string> exchange)
    {
        ObjectDisposedException.ThrowIf(_isDisposed, this);
        _thread.TryRun(() =>
        {
            if (_broken is not null)
                throw new CommunicatorException(_broken.Ranks, _broken.Message);
            exchange(what);
        });
    }

    private void Exchange(
        delegate* unmanaged<void*, int, nint, int, int, nint, nint*, int> function, void* bytes, int count, int rank, int tag, string what)
    {
        nint request = 0;
        Check(function(bytes, count, _mpi.Handles.Byte, rank, tag, _mpi.Handles.World, &request), what);
        Wait(&request, what);
    }

    // Waits until an exchange is complete, or somebody says that it never will be.
    private void Wait(nint* request, string what)
    {
        _waiting.Clear();
        var start = Stopwatch.GetTimestamp();
        var (lastNotices, lastFullCrew) = (start, start);
        while (!IsComplete(request, what))
        {
            if (Stopwatch.GetElapsedTime(lastNotices) > BetweenNotices)
            {
                lastNotices = Stopwatch.GetTimestamp();
                ReadNotices();
                if (_left.Count == 0)
                    lastFullCrew = lastNotices;
                else if (Stopwatch.GetElapsedTime(lastFullCrew) > AnswerTime) // the last of its numbers may be under way
                    throw GiveUp([.. _left], $"{Named(_left)} ended before {what}, for which rank {Rank} waits.");
                if (_waiting.Count > 0 || Stopwatch.GetElapsedTime(start) > TimeLimit)
                    throw Expire(what);
            }
            Pause(start);
        }
    }

    private static void Pause(long start)
    {
        if (Stopwatch.GetElapsedTime(start) < BriefWait)
            Thread.Yield();
        else
            Thread.Sleep(1);
    }

    private bool IsComplete(nint* request, string what)
    {
        int isComplete;
        Check(_mpi.Test(request, &isComplete, _mpi.Handles.StatusIgnore), what);
        return isComplete != 0;
    }

    private bool HasArrived(int rank, int tag, string what)
    {
        int hasArrived;
        Check(_mpi.Probe(rank, tag, _mpi.Handles.World, &hasArrived, _mpi.Handles.StatusIgnore), what);
        return hasArrived != 0;
    }

    private void ReadNotices()
    {
        var bytes = stackalloc byte[RankNotice.Length];
        while (HasArrived(_mpi.Handles.AnySource, NoticeTag, "notices"))
        {
            nint request = 0;
            Check(_mpi.Receive(bytes, RankNotice.Length, _mpi.Handles.Byte, _mpi.Handles.AnySource, NoticeTag, _mpi.Handles.World, &request), "notices");
            while (!IsComplete(&request, "notices"))
                Thread.Yield();
            var notice = RankNotice.Read(new(bytes, RankNotice.Length));
            switch (notice.Kind)
            {
                case RankNotice.Meaning.Failed:
                    throw Break([notice.Rank], $"Rank {notice.Rank} failed: {notice.Text}");
                case RankNotice.Meaning.Left:
                    _left.Add(notice.Rank);
                    break;
                default:
                    _waiting[notice.Rank] = notice.Text;
                    break;
            }
        }
    }

    // This rank's time is up, or another's was: all that wait say so, and those that say nothing are the ones waited for.
    private CommunicatorException Expire(string what)
    {
        Tell(new(RankNotice.Meaning.Waiting, Rank, what), TimeSpan.Zero);
        var start = Stopwatch.GetTimestamp();
        while (Stopwatch.GetElapsedTime(start) < AnswerTime && _waiting.Count < Size - 1)
        {
            ReadNotices();
            Thread.Sleep(1);
        }
        int[] missing = [.. Enumerable.Range(0, Size).Where(rank => rank != Rank && !_waiting.ContainsKey(rank))];
        if (missing.Length > 0)
            return Break(missing, $"{Named(missing)} did not come to {what} within {TimeLimit}.");
        var others = string.Join(", ", _waiting.Select(entry => $"rank {entry.Key} for {entry.Value}"));
        return Break([], $"The ranks wait for each other, and none goes on: rank {Rank} waits for {what}, {others}. " +
            "Either they do not make the same calls, or the network between them fails.");
    }

    private bool EndedTogether()
    {
        try
        {
            Tell(new(RankNotice.Meaning.Left, Rank, ""), FarewellTime);
            var start = Stopwatch.GetTimestamp();
            while (_left.Count < Size - 1 && Stopwatch.GetElapsedTime(start) < TimeLimit)
            {
                ReadNotices();
                Pause(start);
            }
            return _left.Count == Size - 1;
        }
        catch (CommunicatorException)
        {
            return false;
        }
    }

    // What is told must stay where it is until it has left, and it may never: a rank that is stopped takes nothing.
    private void Tell(RankNotice notice, TimeSpan limit)
    {
        var bytes = (byte*)NativeMemory.Alloc(RankNotice.Length);
        notice.Write(new(bytes, RankNotice.Length));
        var requests = (nint*)NativeMemory.AllocZeroed((nuint)Size, (nuint)sizeof(nint));
        for (var rank = 0; rank < Size; rank++)
        {
            if (rank != Rank)
                _ = _mpi.Send(bytes, RankNotice.Length, _mpi.Handles.Byte, rank, NoticeTag, _mpi.Handles.World, requests + rank);
        }
        var start = Stopwatch.GetTimestamp();
        var left = Enumerable.Range(0, Size).Where(rank => rank != Rank).ToHashSet();
        do
        {
            left.RemoveWhere(rank =>
            {
                int isComplete;
                return _mpi.Test(requests + rank, &isComplete, _mpi.Handles.StatusIgnore) == 0 && isComplete != 0;
            });
        }
        while (left.Count > 0 && Stopwatch.GetElapsedTime(start) < limit);
        if (left.Count > 0)
            return;
        NativeMemory.Free(bytes);
        NativeMemory.Free(requests);
    }

    private void Check(int code, string what)
    {
        if (code != 0)
            throw GiveUp([], $"MPI failed where rank {Rank} waits for {what}: {_mpi.ErrorText(code)}.");
    }

    private CommunicatorException Break(IReadOnlyList<int> ranks, string message) => _broken = new(ranks, message);

    // What the others cannot know: they are not to wait for this one either.
    private CommunicatorException GiveUp(IReadOnlyList<int> ranks, string message)
    {
        var error = Break(ranks, message);
        Tell(new(RankNotice.Meaning.Failed, Rank, message), FarewellTime);
        return error;
    }

    private void CheckRank(int rank)
    {
        if (rank < 0 || rank >= Size)
            throw new ArgumentException($"The rank must be from 0 to {Size - 1}, found {rank}.", nameof(rank));
    }

    private void CheckOther(int rank)
    {
        CheckRank(rank);
        if (rank == Rank)
            throw new ArgumentException($"The rank must be another than this one, {Rank}.", nameof(rank));
    }

    private static string Named(IReadOnlyCollection<int> ranks) =>
        (ranks.Count == 1 ? "Rank " : "Ranks ") + string.Join(", ", ranks.Order());
}
