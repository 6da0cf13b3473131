using System.Diagnostics;
using System.Globalization;
using System.Numerics;
using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>The ranks of an MPI job.</summary>
/// <remarks>
/// Every exchange is one of MPI's non-blocking ones, tested until it is complete: so a rank that waits hears of others that fail
/// or leave, and its time can be up, neither of which MPI itself provides. When it is, the rank asks the others what they wait
/// for. Those that wait, too, answer; a rank that was killed, is stopped or computes does not, and is named.
/// </remarks>
internal sealed unsafe class MpiCommunicator : Communicator
{
    // What is exchanged at once. On a link with a delay a larger bucket waits for it less often, and takes as much memory
    // (samples/Benchmarks, exchange).
    private const int BucketBytes = 32 << 20;

    private const int HeaderLength = 3;

    // Of so few numbers every rank sends all to all: that is one exchange, not two.
    private const int FewBytes = 4096;

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
    private byte* _received; // for what the other ranks send of a bucket
    private nuint _receivedLength;

    // Once it is there, MPI is not called any more: what is under way would write to memory that its owner has back.
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
                throw new CommunicatorException([], $"MPI did not begin within {Text(limit)}: not every process of the job" +
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

    public override void Sum(Span<float> values) => SumOf(values);

    public override void Sum(Span<double> values) => SumOf(values);

    internal override void Sum(Tensor tensor)
    {
        if (tensor.device_type == DeviceType.CPU)
            base.Sum(tensor);
        else
            SumWhereItLies(tensor);
    }

    /// <summary>The sum of a tensor in memory that MPI reads: numbers are exchanged, and added up, where it lies.</summary>
    internal void SumWhereItLies(Tensor tensor)
    {
        using var scope = NewDisposeScope();
        var count = tensor.numel();
        Run($"a sum of {count} numbers", what => Announce(Call.Sum, (int)tensor.ElementSize, count, what));
        CountBytes(count * tensor.ElementSize);
        var rest = (Size - count % Size) % Size; // slices are of one length
        var sent = rest == 0 ? tensor : cat([tensor, zeros(rest, dtype: tensor.dtype, device: tensor.device)]);
        var received = empty_like(sent);
        var slices = received.view(Size, -1);
        var bytes = checked((int)(slices.size(1) * tensor.ElementSize));
        Collect(_mpi.AllToAll, sent, received, bytes);
        var sums = slices[0].clone();
        for (var rank = 1; rank < Size; rank++)
            sums.add_(slices[rank], Scalars.One);
        Collect(_mpi.AllGather, sums, received, bytes);
        tensor.copy_(received.narrow(0, 0, count));
    }

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
                Announce(Call.Broadcast, root, length, what);
                for (var done = 0L; done < length; done += BucketBytes)
                {
                    nint request = 0;
                    Check(_mpi.Broadcast(start + done, (int)Math.Min(BucketBytes, length - done), _mpi.Handles.Byte, root, _mpi.Handles.World,
                        &request), what);
                    Wait(&request, what);
                }
            });
        }
    }

    // To announce it, all have to be there.
    public override void Barrier() => Run("a barrier", what => Announce(Call.Barrier, root: 0, length: 0, what));

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
            if (_broken is not null || !EndedTogether())
                return; // MPI may write to the buffer yet
            _ = _mpi.Finish();
            NativeMemory.Free(_received);
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

    // MPI moves the numbers; they are added up here, in the order of the ranks: so the sums have the same bits on all ranks, with
    // every implementation of MPI, and are those of one process that adds in this order.
    private void SumOf<T>(Span<T> values)
        where T : unmanaged, INumber<T>
    {
        var length = values.Length;
        CountBytes((long)length * sizeof(T));
        fixed (T* first = values)
        {
            var start = first;
            Run($"a sum of {length} numbers", what =>
            {
                Announce(Call.Sum, sizeof(T), length, what);
                // Ranks have slices of a bucket of one length. What is left of it is few numbers.
                var bucket = BucketBytes / sizeof(T) / Size * Size;
                for (var done = 0L; done < length; done += bucket)
                {
                    var count = (int)Math.Min(bucket, length - done);
                    var few = count * sizeof(T) <= FewBytes ? count : count % Size;
                    if (count > few)
                        SumSlices(start + done, (count - few) / Size, what);
                    if (few > 0)
                        SumFew(start + done + (count - few), few, what);
                }
            });
        }
    }

    // Every rank gets one slice from all, adds it up and gives it to all: each sends and receives as little as can be.
    private void SumSlices<T>(T* values, int slice, string what)
        where T : unmanaged, INumber<T>
    {
        var bytes = slice * sizeof(T);
        var received = (T*)Received(bytes);
        Collect(_mpi.AllToAll, values, received, bytes, what);
        AddUp(received, slice);
        Collect(_mpi.AllGather, received, values, bytes, what);
    }

    private void SumFew<T>(T* values, int count, string what)
        where T : unmanaged, INumber<T>
    {
        var bytes = count * sizeof(T);
        var received = (T*)Received(bytes);
        Collect(_mpi.AllGather, values, received, bytes, what);
        AddUp(received, count);
        new ReadOnlySpan<T>(received, count).CopyTo(new Span<T>(values, count));
    }

    private void Collect(
        delegate* unmanaged<void*, int, nint, void*, int, nint, nint, nint*, int> function, void* sent, void* received, int bytes, string what)
    {
        nint request = 0;
        var (type, world) = (_mpi.Handles.Byte, _mpi.Handles.World);
        Check(function(sent, bytes, type, received, bytes, type, world, &request), what);
        Wait(&request, what);
    }

    private void Collect(
        delegate* unmanaged<void*, int, nint, void*, int, nint, nint, nint*, int> function, Tensor sent, Tensor received, int bytes)
    {
        if (sent.device_type == DeviceType.CUDA)
            cuda.synchronize(sent.device); // MPI knows nothing of torch's streams
        var (from, to) = (TensorData.AddressOf(sent), TensorData.AddressOf(received));
        Run($"a sum of {sent.numel()} numbers", what => Collect(function, (void*)from, (void*)to, bytes, what));
        GC.KeepAlive(sent);
        GC.KeepAlive(received);
    }

    private void AddUp<T>(T* received, int count)
        where T : unmanaged, INumber<T>
    {
        var sums = new Span<T>(received, count);
        for (var rank = 1; rank < Size; rank++)
            Add(sums, new ReadOnlySpan<T>(received + (long)rank * count, count));
    }

    private static void Add<T>(Span<T> sums, ReadOnlySpan<T> values)
        where T : unmanaged, INumber<T>
    {
        var wideSums = MemoryMarshal.Cast<T, Vector<T>>(sums);
        var wide = MemoryMarshal.Cast<T, Vector<T>>(values);
        for (var i = 0; i < wideSums.Length; i++)
            wideSums[i] += wide[i];
        for (var i = wideSums.Length * Vector<T>.Count; i < sums.Length; i++)
            sums[i] += values[i];
    }

    private byte* Received(int bytesOfRank)
    {
        var length = (nuint)bytesOfRank * (nuint)Size;
        if (length > _receivedLength)
        {
            _received = (byte*)NativeMemory.Realloc(_received, length);
            _receivedLength = length;
        }
        return _received;
    }

    // MPI pairs whatever calls the ranks make in the same order: numbers of one would end up in another's.
    private void Announce(Call call, int root, long length, string what)
    {
        var own = stackalloc long[HeaderLength];
        (own[0], own[1], own[2]) = ((long)call, root, length);
        var all = stackalloc long[HeaderLength * Size];
        Collect(_mpi.AllGather, own, all, HeaderLength * sizeof(long), what);
        for (var rank = 0; rank < Size; rank++)
        {
            var other = new ReadOnlySpan<long>(all + rank * HeaderLength, HeaderLength);
            if (!other.SequenceEqual(new ReadOnlySpan<long>(own, HeaderLength)))
            {
                throw Break([], $"The ranks do not make the same calls: rank {Rank} comes to {what}, rank {rank} to a " +
                    FormattableString.Invariant($"{(Call)other[0]} of {other[2]}."));
            }
        }
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
            return Break(missing, $"{Named(missing)} did not come to {what} within {Text(TimeLimit)}.");
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

    private static string Text(TimeSpan time) => time.ToString("c", CultureInfo.InvariantCulture);

    private static string Named(IReadOnlyCollection<int> ranks) =>
        (ranks.Count == 1 ? "Rank " : "Ranks ") + string.Join(", ", ranks.Order());

    /// <summary>What all ranks call together.</summary>
    private enum Call
    {
        Barrier,
        Broadcast,
        Sum,
    }
}
