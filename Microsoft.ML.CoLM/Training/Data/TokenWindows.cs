using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>A token stream cut into windows, in an order that the seed and the epoch alone decide.</summary>
/// <remarks>
/// A window is <c>length</c> inputs and the same tokens one place on as targets. Each epoch begins at another offset
/// into the stream, so that the cuts fall elsewhere and the tail is not always the same that is left out.
/// </remarks>
internal sealed class TokenWindows
{
    private readonly TokenSpool _spool;
    private readonly int _seed;
    private int _epoch = -1;
    private long _offset;
    private int[] _order = [];

    /// <param name="spool">The corpus, at least two tokens.</param>
    /// <param name="length">Wanted tokens of a window; a shorter corpus is one shorter window.</param>
    /// <param name="seed">Decides the order.</param>
    public TokenWindows(TokenSpool spool, int length, int seed)
    {
        (_spool, _seed) = (spool, seed);
        Length = (int)Math.Min(length, spool.TokenCount - 1);
        Count = checked((int)((spool.TokenCount - 1) / Length));
    }

    /// <summary>Tokens of a window.</summary>
    public int Length { get; }

    /// <summary>Windows of an epoch.</summary>
    public int Count { get; }

    /// <summary>Inputs and targets of a batch of windows.</summary>
    /// <param name="first">Number of the first window since the beginning of training; epochs follow each other.</param>
    /// <param name="count">Windows in the batch.</param>
    /// <param name="device">Where the tensors live.</param>
    /// <returns>Two tensors [count, length], Int64.</returns>
    public (Tensor Inputs, Tensor Targets) Batch(long first, int count, Device device)
    {
        var size = count * (Length + 1L);
        if (size > Array.MaxLength)
        {
            throw new ArgumentException(FormattableString.Invariant(
                $"A batch of {count} windows of {Length} tokens is more than {Array.MaxLength} numbers."), nameof(count));
        }
        var tokens = new long[size];
        for (var i = 0; i < count; i++)
            _spool.Read(Position(first + i), tokens.AsSpan(i * (Length + 1), Length + 1));
        using var scope = NewDisposeScope();
        var windows = tensor(tokens, [count, Length + 1], device: device);
        return (windows.narrow(1, 0, Length).contiguous().MoveToOuterDisposeScope(),
            windows.narrow(1, 1, Length).contiguous().MoveToOuterDisposeScope());
    }

    private long Position(long window)
    {
        var epoch = checked((int)(window / Count));
        if (epoch != _epoch)
            Shuffle(epoch);
        return _offset + (long)_order[window % Count] * Length;
    }

    private void Shuffle(int epoch)
    {
        var random = new Random(EpochSeed.Of(_seed, epoch));
        var slack = _spool.TokenCount - 1 - (long)Count * Length;
        (_epoch, _offset, _order) = (epoch, random.NextInt64(slack + 1), [.. Enumerable.Range(0, Count)]);
        random.Shuffle(_order);
    }
}
