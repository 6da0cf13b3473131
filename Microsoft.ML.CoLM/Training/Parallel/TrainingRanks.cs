using Microsoft.ML.CoLM.Evaluation;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>The ranks that train one model, as the training sees them: one process alone is rank 0 of 1.</summary>
/// <remarks>
/// What all ranks are to know comes from sums, which are the same on all of them; so all act alike, and at the same place. What
/// one rank alone meets with, such as a full disk, it tells the others, which throw, too, instead of waiting for it.
/// </remarks>
internal sealed class TrainingRanks
{
    private readonly Communicator? _communicator;
    private Exception? _agreed;

    /// <param name="communicator">The ranks; null for this process alone.</param>
    public TrainingRanks(Communicator? communicator)
    {
        _communicator = communicator is { Size: > 1 } ? communicator : null;
        Share = _communicator is null ? BatchShare.All : new RankShare(this);
    }

    public int Rank => _communicator?.Rank ?? 0;

    public int Size => _communicator?.Size ?? 1;

    public bool AreSeveral => _communicator is not null;

    /// <summary>Whether this rank writes what is written once: checkpoints and messages.</summary>
    public bool IsFirst => Rank == 0;

    /// <summary>Which batches of a validation this rank computes.</summary>
    public BatchShare Share { get; }

    /// <summary>What was agreed on last: how the training is to end, if it is.</summary>
    public StopRequest Stop { get; private set; }

    /// <summary>The ranks; only where there are several.</summary>
    public Communicator Communicator => _communicator!;

    /// <summary>Does what all ranks do; what only this one throws, the others are told.</summary>
    /// <exception cref="InvalidOperationException">The communicator is in use.</exception>
    public T Run<T>(Func<T> work) => _communicator is null ? work() : _communicator.Use(() => RunAndTell(work));

    /// <summary>An exception that every rank throws, here and now.</summary>
    public T Agreed<T>(T exception)
        where T : Exception
    {
        _agreed = exception;
        return exception;
    }

    /// <summary>Lets every rank know what any was asked for.</summary>
    /// <param name="own">What this rank was asked for.</param>
    public StopRequest Agree(StopRequest own)
    {
        if (_communicator is null)
            return Stop = own;
        Span<double> requests = Requests(own);
        _communicator.Sum(requests);
        return Stop = Request(requests);
    }

    /// <summary>Reads rows; all ranks go on where all have read theirs.</summary>
    /// <param name="read">Reads them; null where this rank was told to stop meanwhile, or an exception that says so.</param>
    /// <param name="asked">What this rank was asked for.</param>
    /// <returns>The rows, or null where a rank has none.</returns>
    public T? Read<T>(Func<T> read, Func<StopRequest> asked)
        where T : class, IDisposable
    {
        T? rows = null;
        try
        {
            rows = read();
        }
        catch (OperationCanceledException) when (asked() != StopRequest.None)
        {
            // Said below, to the others, too.
        }
        if (Agree(rows is null ? asked() : StopRequest.None) == StopRequest.None)
            return rows;
        rows?.Dispose();
        return null;
    }

    /// <summary>The passes of a step that this rank computes.</summary>
    public IEnumerable<int> Passes(int count)
    {
        for (var pass = Rank; pass < count; pass += Size)
            yield return pass;
    }

    /// <summary>Gives every rank the losses of all passes, and what any was asked for, and adds up the gradients.</summary>
    /// <param name="sums">The losses of this rank's passes; then of all.</param>
    /// <param name="parameters">What is trained.</param>
    /// <param name="exchange">Adds up the gradients; null for one process alone.</param>
    /// <param name="own">What this rank was asked for.</param>
    public void Complete(PassSums sums, IReadOnlyList<TrainedParameter> parameters, GradientExchange? exchange, StopRequest own)
    {
        if (_communicator is null || exchange is null)
            return;
        // Of a parameter that no pass used no rank has a gradient; otherwise those that have none count as zero.
        double[] numbers =
        [
            .. sums.Numbers, .. Requests(own), .. parameters.Select(parameter => parameter.StoredGradient is null ? 0.0 : 1),
        ];
        _communicator.Sum(numbers);
        var (passes, requests) = (sums.Numbers.Length, (int)StopRequest.Cancel);
        numbers.AsSpan(0, passes).CopyTo(sums.Numbers);
        Stop = Request(numbers.AsSpan(passes, requests));
        if (double.IsFinite(sums.Total().Sum))
            exchange.Sum(parameters.Where((_, i) => numbers[passes + requests + i] > 0));
    }

    /// <summary>What adds up the gradients of parameters; null for one process alone.</summary>
    public GradientExchange? CreateExchange(IReadOnlyList<TrainedParameter> parameters) =>
        _communicator is null ? null : new(_communicator, parameters);

    /// <summary>Rank 0's number, for those whose last bits may depend on a processor.</summary>
    public double FirstOf(double own)
    {
        if (_communicator is null)
            return own;
        Span<byte> bytes = stackalloc byte[sizeof(double)];
        BitConverter.TryWriteBytes(bytes, own);
        _communicator.Broadcast(bytes);
        return BitConverter.ToDouble(bytes);
    }

    /// <summary>Rank 0's bytes.</summary>
    public byte[] FirstOf(byte[] own) => _communicator?.BytesOf(root: 0, own) ?? own;

    /// <summary>Fills a contiguous tensor with rank 0's elements.</summary>
    public void FirstOf(Tensor tensor)
    {
        const int ElementsAtOnce = 1 << 20;
        if (_communicator is null)
            return;
        using var noGradients = no_grad();
        using var flat = tensor.detach().view(-1);
        for (var start = 0L; start < flat.numel(); start += ElementsAtOnce)
        {
            using var part = flat.narrow(0, start, Math.Min(ElementsAtOnce, flat.numel() - start));
            using var onCpu = part.cpu(); // the part itself, where it is there already
            _communicator.Broadcast(onCpu.bytes);
            if (part.device_type != DeviceType.CPU)
                part.copy_(onCpu);
        }
    }

    /// <summary>The seed that all ranks use: the one that is given, or else rank 0's.</summary>
    /// <param name="given">The seed that this rank was given; ranks that were given others are refused later, by name.</param>
    /// <param name="drawn">What this rank would take without one.</param>
    public int Seed(int? given, Func<int> drawn)
    {
        var first = (int)FirstOf((double)(given ?? drawn()));
        return given ?? first;
    }

    /// <summary>What multiplies matrices on all ranks: rank 0's.</summary>
    /// <param name="resumed">What did in the training that is resumed; null where there is none.</param>
    public MatrixProducts Products(MatrixProducts? resumed)
    {
        var own = resumed ?? MatrixProducts.Current;
        return _communicator?.FirstOf(own) ?? own;
    }

    private T RunAndTell<T>(Func<T> work)
    {
        try
        {
            return work();
        }
        catch (Exception e) when (e != _agreed && Tell(e))
        {
            throw;
        }
    }

    // A full disk, a missing folder, a bug: the others would wait for a rank that does not come.
    private bool Tell(Exception exception)
    {
        if (exception is not CommunicatorException)
            _communicator?.Fail(exception.Message);
        return true;
    }

    private static double[] Requests(StopRequest own) =>
        [own == StopRequest.Stop ? 1 : 0, own == StopRequest.Cancel ? 1 : 0];

    private static StopRequest Request(ReadOnlySpan<double> requests) =>
        requests[1] > 0 ? StopRequest.Cancel : requests[0] > 0 ? StopRequest.Stop : StopRequest.None;
}
