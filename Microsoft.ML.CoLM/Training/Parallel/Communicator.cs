using System.Text;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Training;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

/// <summary>
/// What several processes, each a <i>rank</i>, exchange numbers with while they train one model or run one sweep.
/// </summary>
/// <remarks>
/// All ranks make the same calls in the same order; each call returns when every rank has made it, or throws. A derived class
/// may bring another transport; <see cref="FromMpi"/> is the one for clusters. Members may be called from any thread, one call
/// at a time.
/// </remarks>
/// <example>
/// <code>
/// // Started by "mpirun -n 2 program": each rank computes half of the passes of every step.
/// using var communicator = Communicator.FromMpi();
/// var options = new ChainExpansionEstimator.Options
/// {
///     ModelFolder = "llama-folder",
///     AddedChains = [8],
///     GradientAccumulationSteps = communicator.Size,
///     Communicator = communicator,
/// };
/// using var grown = mlContext.Transforms.ChainExpansion(options).Fit(train);
/// if (communicator.Rank == 0)
///     mlContext.CoLM().Save(grown, train.Schema, "grown.zip");
/// </code>
/// </example>
public abstract class Communicator : IDisposable
{
    private TimeSpan _timeLimit = TimeSpan.FromMinutes(10);
    private int _isUsed;
    private long _bytes;

    /// <summary>The number of this process, from 0 on.</summary>
    public abstract int Rank { get; }

    /// <summary>The number of ranks.</summary>
    public abstract int Size { get; }

    /// <summary>
    /// How long a call waits for the other ranks before it throws a <see cref="CommunicatorException"/> that names those that
    /// did not come. Default: 10 minutes.
    /// </summary>
    /// <exception cref="ArgumentException">The time is not above 0.</exception>
    public TimeSpan TimeLimit
    {
        get => _timeLimit;
        set
        {
            OptionCheck.That(value > TimeSpan.Zero, nameof(TimeLimit), value, "above 0");
            _timeLimit = value;
        }
    }

    /// <summary>Bytes of numbers that this rank has put into sums, broadcasts and messages so far.</summary>
    public long BytesExchanged => Interlocked.Read(ref _bytes);

    /// <summary>The ranks of the MPI job that this process is part of.</summary>
    /// <param name="timeLimit">
    /// The <see cref="TimeLimit"/>, which also limits how long the start waits for the other ranks; null for the default.
    /// </param>
    /// <returns>The communicator, one a process; disposing it ends MPI.</returns>
    /// <remarks>
    /// Loads Open MPI (<c>libmpi.so.40</c>), or MPICH or a library with its binary interface (<c>libmpi.so.12</c>,
    /// <c>libmpich.so.12</c>); the environment variable <c>COLM_MPI</c> can name another file. All of MPI's functions are
    /// called from one thread of the communicator's own. Tensors on a GPU are exchanged through the host's memory unless the
    /// library says that it is CUDA-aware.
    /// </remarks>
    /// <exception cref="DllNotFoundException">No MPI library is installed; the message names the package.</exception>
    /// <exception cref="NotSupportedException">The library is not supported; the message has its name.</exception>
    /// <exception cref="InvalidOperationException">
    /// MPI was begun in this process already; or another MPI than the one loaded started this process.
    /// </exception>
    /// <exception cref="CommunicatorException">Not all ranks came within the time limit, or MPI could not begin.</exception>
    public static Communicator FromMpi(TimeSpan? timeLimit = null) => MpiCommunicator.Begin(timeLimit);

    /// <summary>
    /// Adds up numbers over all ranks, element by element and in the order of the ranks; every rank gets the same sums, to the
    /// bit.
    /// </summary>
    /// <param name="values">This rank's numbers, replaced by the sums; as many on every rank.</param>
    /// <exception cref="CommunicatorException">A rank failed, left or did not come.</exception>
    public abstract void Sum(Span<float> values);

    /// <inheritdoc cref="Sum(Span{float})"/>
    public abstract void Sum(Span<double> values);

    /// <summary>Gives every rank the bytes of one.</summary>
    /// <param name="bytes">The bytes of <paramref name="root"/>, received by the others; as many on every rank.</param>
    /// <param name="root">The rank whose bytes they are.</param>
    /// <exception cref="CommunicatorException">A rank failed, left or did not come.</exception>
    public abstract void Broadcast(Span<byte> bytes, int root = 0);

    /// <summary>Waits until every rank is here.</summary>
    /// <exception cref="CommunicatorException">A rank failed, left or did not come.</exception>
    public abstract void Barrier();

    /// <summary>Sends a message to another rank, which gets it with <see cref="TryReceive"/>.</summary>
    /// <param name="message">The message.</param>
    /// <param name="rank">The other rank.</param>
    /// <exception cref="CommunicatorException">A rank failed, left or did not come.</exception>
    public abstract void Send(ReadOnlySpan<byte> message, int rank);

    /// <summary>Gets the next message of another rank, if one has arrived; never waits for one to be sent.</summary>
    /// <param name="rank">The other rank.</param>
    /// <returns>The message; null if there is none.</returns>
    /// <exception cref="CommunicatorException">A rank failed or left.</exception>
    public abstract byte[]? TryReceive(int rank);

    /// <summary>
    /// Tells the other ranks that this one cannot go on, so that whatever call they wait in throws; returns without waiting
    /// for them. The estimators call it when they throw something that the other ranks do not.
    /// </summary>
    /// <param name="reason">The reason, for their message.</param>
    public abstract void Fail(string reason);

    /// <summary>Whether the answer is yes on any rank: the same on all of them.</summary>
    /// <exception cref="CommunicatorException">A rank failed, left or did not come.</exception>
    public bool Any(bool answer)
    {
        Span<double> yes = [answer ? 1 : 0];
        Sum(yes);
        return yes[0] > 0;
    }

    /// <summary>
    /// Ends this rank's part, after the other ranks have ended theirs, for which it waits up to the <see cref="TimeLimit"/>.
    /// </summary>
    public void Dispose()
    {
        Dispose(disposing: true);
        GC.SuppressFinalize(this);
    }

    /// <summary>Does something that exchanges numbers in an order of its own: nothing else may come between.</summary>
    /// <exception cref="InvalidOperationException">Something else is under way.</exception>
    internal T Use<T>(Func<T> work)
    {
        if (Interlocked.Exchange(ref _isUsed, 1) != 0)
        {
            throw new InvalidOperationException("The communicator is in use by another training or sweep of this process, whose " +
                "numbers would be mixed with these: run one after the other.");
        }
        try
        {
            return work();
        }
        finally
        {
            Volatile.Write(ref _isUsed, 0);
        }
    }

    /// <summary>The bytes of one rank, however many they are.</summary>
    internal byte[] BytesOf(int root, byte[] own)
    {
        var length = BitConverter.GetBytes(own.Length);
        Broadcast(length, root);
        var bytes = Rank == root ? own : new byte[BitConverter.ToInt32(length)];
        Broadcast(bytes, root);
        return bytes;
    }

    /// <summary>What multiplies matrices on rank 0, so that all ranks' sums are alike.</summary>
    internal MatrixProducts FirstOf(MatrixProducts own) =>
        MatrixProducts.TryParse(Encoding.UTF8.GetString(BytesOf(root: 0, Encoding.UTF8.GetBytes(own.ToString()))))!;

    /// <summary>Whether a tensor may lie in a GPU's memory to be added up.</summary>
    internal virtual bool ReadsDeviceMemory => false;

    /// <summary>Adds up a contiguous tensor of float32 over all ranks.</summary>
    internal virtual unsafe void Sum(Tensor tensor)
    {
        Sum(new Span<float>((void*)TensorMemory.Address(tensor), checked((int)tensor.numel())));
        GC.KeepAlive(tensor);
    }

    /// <summary>Ends this rank's part.</summary>
    protected abstract void Dispose(bool disposing);

    /// <summary>Counts bytes for <see cref="BytesExchanged"/>.</summary>
    protected void CountBytes(long bytes) => Interlocked.Add(ref _bytes, bytes);
}
