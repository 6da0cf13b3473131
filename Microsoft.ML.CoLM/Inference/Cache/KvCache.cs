using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

/// <summary>
/// Keys and values of the tokens that sequences consist of so far, so that none is computed again. With KV sharing
/// (CoLM-Air, arXiv 2505.11820) they are the first chain's alone, and what one chain count cached serves every other.
/// </summary>
/// <remarks>
/// For each layer and each chain with keys of its own it has memory for keys and values of every key-value head, for
/// <see cref="Capacity"/> tokens of each sequence, in the model's type. Where a capacity is asked for, all of that is taken
/// at once and is the most that a sequence can have. A cache that <see cref="TextGenerator.Prefill"/> makes without one has
/// room for the prompt and a little more, and grows in <see cref="TextGenerator.Continue"/>, up to the model's context.
/// Disposed while it is used, a cache is freed when that ends, with an <see cref="ObjectDisposedException"/> where more
/// was to follow. One call at a time continues or trims it, and none reads it meanwhile: others get an
/// <see cref="InvalidOperationException"/>. Any number may <see cref="Clone"/> or <see cref="Save"/> it at once.
/// <see cref="Tokens"/> is a view of what a call may be adding to.
/// </remarks>
public sealed partial class KvCache : IDisposable
{
    // More room each time: at least for so many tokens, and a quarter of what there is. So all that is ever copied is some
    // times the cache, which every token that is generated reads once, and a quarter is the most that stands empty.
    private const int LeastGrowth = 256;
    private const int GrowthShare = 4;

    private readonly Lifetime _lifetime;
    private readonly List<int>[] _tokens;
    private readonly int[,] _lengths;
    private readonly Tensor[,] _keys;
    private readonly Tensor[,] _values;

    /// <summary>An empty cache.</summary>
    /// <param name="model">The model it is for.</param>
    /// <param name="capacity">Tokens that a sequence can have, at most the model's context.</param>
    /// <param name="sequenceCount">Sequences.</param>
    /// <exception cref="ArgumentOutOfRangeException">
    /// <paramref name="capacity"/> is below 1 or above the model's context, or there is no sequence, or more bytes than can be
    /// counted.
    /// </exception>
    /// <exception cref="InsufficientMemoryException">There is no memory of that size; the message has its bytes.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public KvCache(CoLMModel model, int capacity, int sequenceCount = 1)
        : this(model, capacity, sequenceCount, room: capacity, isBlocked: true)
    {
    }

    /// <param name="model">As of the public one.</param>
    /// <param name="capacity">As of the public one.</param>
    /// <param name="sequenceCount">As of the public one.</param>
    /// <param name="isBlocked">False for <see cref="ModuleSession"/>'s layout where the CPU's kernels could read theirs.</param>
    internal KvCache(CoLMModel model, int capacity, int sequenceCount, bool isBlocked)
        : this(model, capacity, sequenceCount, room: capacity, isBlocked)
    {
    }

    private KvCache(CoLMModel model, int capacity, int sequenceCount, int room, bool isBlocked)
    {
        ArgumentNullException.ThrowIfNull(model);
        using var use = model.Enter();
        ArgumentOutOfRangeException.ThrowIfLessThan(sequenceCount, 1);
        if (capacity < 1 || capacity > model.Config.ContextLength)
        {
            throw new ArgumentOutOfRangeException(nameof(capacity),
                FormattableString.Invariant(
                    $"capacity must be between 1 and the model's context of {model.Config.ContextLength} tokens, found {capacity}."));
        }
        _lifetime = new Lifetime(this, Free);
        (Config, DataType, Device) = (model.Config, model.DataType, model.Device);
        (Capacity, Limit, SequenceCount) = (Math.Min(room, capacity), capacity, sequenceCount);
        IsBlocked = isBlocked && Device.type == DeviceType.CPU && DataType is ScalarType.Float32 or ScalarType.BFloat16;
        (_keys, _values) = Allocate();  // first, since what cannot be had is mostly this
        _tokens = [.. Enumerable.Range(0, sequenceCount).Select(_ => new List<int>())];
        _lengths = new int[sequenceCount, Config.KeyValueChains];
    }

    /// <summary>A cache with little memory, which takes more as its sequences need it.</summary>
    /// <param name="model">The model it is for.</param>
    /// <param name="limit">The most tokens that a sequence can have, at most the model's context.</param>
    /// <param name="sequenceCount">Sequences.</param>
    /// <exception cref="ArgumentOutOfRangeException">As the constructor's.</exception>
    internal static KvCache Growing(CoLMModel model, int limit, int sequenceCount = 1) =>
        new(model, limit, sequenceCount, room: LeastGrowth, isBlocked: true);

    /// <summary>
    /// Tokens of a sequence that there is room for. That of a cache which was made without a capacity becomes more when it
    /// is needed.
    /// </summary>
    public int Capacity { get; private set; }

    /// <summary>Sequences.</summary>
    public int SequenceCount { get; }

    /// <summary>Bytes that keys and values have, for <see cref="Capacity"/> tokens of each sequence.</summary>
    public long SizeInBytes => SizeOf(Config, DataType, IsBlocked, Capacity, SequenceCount);

    /// <summary>The most tokens that a sequence can have.</summary>
    internal int Limit { get; }

    internal CoLMConfig Config { get; }

    internal ScalarType DataType { get; }

    internal Device Device { get; }

    /// <summary>Whether keys and values lie as <see cref="CachedAttention"/> reads them, or [sequences, heads, capacity, d].</summary>
    internal bool IsBlocked { get; }

    /// <summary>The bytes a cache will take, before it is made.</summary>
    /// <param name="model">The model it is for.</param>
    /// <param name="capacity">Tokens that a sequence can have.</param>
    /// <param name="sequenceCount">Sequences.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is below 1, or a cache of that size has no number of bytes.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public static long SizeFor(CoLMModel model, int capacity, int sequenceCount = 1)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(sequenceCount, 1);
        using var use = model.Enter();
        var isBlocked = model.Device.type == DeviceType.CPU &&
            model.DataType is ScalarType.Float32 or ScalarType.BFloat16;
        return SizeOf(model.Config, model.DataType, isBlocked, capacity, sequenceCount);
    }

    /// <summary>Tokens of a sequence that are cached.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sequence.</exception>
    public int Length(int sequence = 0) => Tokens(sequence).Count;

    /// <summary>Ids of the tokens of a sequence that are cached.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sequence.</exception>
    public IReadOnlyList<int> Tokens(int sequence = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sequence);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(sequence, SequenceCount);
        return _tokens[sequence].AsReadOnly();
    }

    /// <summary>Forgets a sequence's tokens from a length on; no memory is moved or freed.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sequence, or it is not that long.</exception>
    /// <exception cref="ObjectDisposedException">The cache was disposed.</exception>
    /// <exception cref="InvalidOperationException">It is being used by another call.</exception>
    public void Trim(int length, int sequence = 0)
    {
        using var use = EnterAlone();
        Forget(length, sequence);
    }

    /// <summary>As <see cref="Trim"/>, for who uses the cache alone.</summary>
    internal void Forget(int length, int sequence)
    {
        _ = Length(sequence);
        var tokens = _tokens[sequence];
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, tokens.Count);
        tokens.RemoveRange(length, tokens.Count - length);
        for (var chain = 0; chain < Config.KeyValueChains; chain++)
            _lengths[sequence, chain] = Math.Min(_lengths[sequence, chain], length);
    }

    /// <summary>A copy with memory of its own.</summary>
    /// <exception cref="ObjectDisposedException">The cache was disposed.</exception>
    /// <exception cref="InvalidOperationException">It is being continued.</exception>
    public KvCache Clone()
    {
        using var use = Enter();
        var copy = new KvCache(this);
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (own, copied) in AllTensors().Zip(copy.AllTensors()))
            copied.copy_(own);
        return copy;
    }

    /// <summary>Frees the memory, or leaves that to the end of what is being done with it.</summary>
    public void Dispose() => _lifetime.Dispose();

    /// <summary>Begins a use: until it is disposed, the memory is not freed.</summary>
    /// <exception cref="ObjectDisposedException">The cache was disposed.</exception>
    /// <exception cref="InvalidOperationException">It is being continued.</exception>
    internal Lifetime.Use Enter() => _lifetime.Enter();

    /// <summary>Begins a use that adds tokens, or takes some away: nobody else may read them meanwhile.</summary>
    /// <exception cref="ObjectDisposedException">The cache was disposed.</exception>
    /// <exception cref="InvalidOperationException">It is being used.</exception>
    internal Lifetime.Use EnterAlone() => _lifetime.EnterAlone();

    internal void CheckUsable() => _lifetime.Check();

    /// <summary>Keys of a layer: [sequences, heads, capacity / 16, d, 16] when blocked.</summary>
    internal Tensor Keys(int layer, int chain) => _keys[layer, chain];

    /// <summary>Values of a layer: [sequences, heads, capacity, d] in whole vectors when blocked.</summary>
    internal Tensor Values(int layer, int chain) => _values[layer, chain];

    /// <summary>Tokens whose keys and values a chain has cached: the first ones of the sequence.</summary>
    internal int CachedLength(int sequence, int chain) => _lengths[sequence, chain];

    /// <summary>A chain has cached a sequence's tokens up to a length.</summary>
    internal void SetCachedLength(int sequence, int chain, int length) => _lengths[sequence, chain] = length;

    /// <summary>
    /// Makes room for a sequence of so many tokens. What is cached stays, but the tensors may be others than before.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">It is more than a sequence can have.</exception>
    internal void Reserve(int length)
    {
        if (length <= Capacity)
            return;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Limit);
        Grow((int)Math.Min(Limit, Math.Max((long)length + LeastGrowth, (long)Capacity + Capacity / GrowthShare)));
    }

    /// <summary>Adds a token to a sequence's end; its keys and values are the caller's to write.</summary>
    internal void Append(int sequence, int token) => _tokens[sequence].Add(token);

    private KvCache(KvCache source)
    {
        _lifetime = new Lifetime(this, Free);
        (Config, DataType, Device, IsBlocked) = (source.Config, source.DataType, source.Device, source.IsBlocked);
        (Capacity, Limit, SequenceCount) = (source.Capacity, source.Limit, source.SequenceCount);
        _tokens = [.. source._tokens.Select(tokens => new List<int>(tokens))];
        _lengths = (int[,])source._lengths.Clone();
        (_keys, _values) = Allocate();
    }

    private static long SizeOf(CoLMConfig config, ScalarType dtype, bool isBlocked, int capacity, int sequenceCount)
    {
        Int128 elements = 0;
        for (var chain = 0; chain < config.KeyValueChains; chain++)
        {
            foreach (var isKey in (ReadOnlySpan<bool>)[true, false])
                elements += Shape(config, chain, isBlocked, capacity, sequenceCount, isKey).Aggregate((Int128)1, (a, b) => a * b);
        }
        var bytes = elements * config.LayerCount * (dtype == ScalarType.Float32 ? sizeof(float) : sizeof(ushort));
        return bytes <= long.MaxValue ? (long)bytes : throw new ArgumentOutOfRangeException(nameof(capacity),
            FormattableString.Invariant($"{sequenceCount} sequences of {capacity} tokens take more bytes than can be counted."));
    }

    private static long[] Shape(
        CoLMConfig config, int chain, bool isBlocked, int capacity, int sequenceCount, bool isKey)
    {
        long heads = config.KeyValueHeads(chain), width = config.HeadWidth;
        var padded = ((long)capacity + CachedAttention.Lanes - 1) / CachedAttention.Lanes * CachedAttention.Lanes;
        if (!isBlocked)
            return [sequenceCount, heads, capacity, width];
        return isKey
            ? [sequenceCount, heads, padded / CachedAttention.Lanes, width, CachedAttention.Lanes]
            : [sequenceCount, heads, padded, CachedAttention.Padded((int)width)];
    }

    // Zeros, since attention multiplies what lies behind the last position by zero.
    private (Tensor[,] Keys, Tensor[,] Values) Allocate()
    {
        var (keys, values) = Allocate(Capacity);
        using var noGradients = no_grad();
        foreach (var tensor in Both(keys, values))
            tensor.zero_().Dispose();
        return (keys, values);
    }

    private void Free()
    {
        foreach (var tensor in AllTensors())
            tensor.Dispose();
    }

    /// <summary>Memory for so many tokens of each sequence, whatever is in it.</summary>
    private (Tensor[,] Keys, Tensor[,] Values) Allocate(int capacity)
    {
        var size = SizeOf(Config, DataType, IsBlocked, capacity, SequenceCount);
        var keys = new Tensor[Config.LayerCount, Config.KeyValueChains];
        var values = new Tensor[Config.LayerCount, Config.KeyValueChains];
        try
        {
            for (var layer = 0; layer < Config.LayerCount; layer++)
            {
                for (var chain = 0; chain < Config.KeyValueChains; chain++)
                {
                    keys[layer, chain] = New(chain, isKey: true);
                    values[layer, chain] = New(chain, isKey: false);
                }
            }
            return (keys, values);
        }
        catch (Exception e)
        {
            foreach (var tensor in Both(keys, values))
                tensor?.Dispose();
            if (e is not (ExternalException or OutOfMemoryException))
                throw;
            throw new InsufficientMemoryException(FormattableString.Invariant(
                $"A KV cache of {SequenceCount} sequences of {capacity} tokens takes {size} bytes, which {Device} does not have."), e);
        }

        Tensor New(int chain, bool isKey) => empty(
            Shape(Config, chain, IsBlocked, capacity, SequenceCount, isKey), dtype: DataType, device: Device)
            .DetachFromDisposeScope();
    }

    private void Grow(int capacity)
    {
        using var noGradients = no_grad();
        // All before any is copied, so that the cache stays as it was where memory is short. The CPU's is there when it is
        // written: of what is copied, never more than one tensor exists twice.
        var (keys, values) = Allocate(capacity);
        foreach (var (own, grown) in new[] { (_keys, keys), (_values, values) })
        {
            for (var layer = 0; layer < Config.LayerCount; layer++)
            {
                for (var chain = 0; chain < Config.KeyValueChains; chain++)
                {
                    using var scope = NewDisposeScope();
                    var old = own[layer, chain];
                    var (filled, all) = (old.size(2), grown[layer, chain].size(2));     // positions, or blocks of them
                    grown[layer, chain].narrow(2, 0, filled).copy_(old);
                    grown[layer, chain].narrow(2, filled, all - filled).zero_();
                    own[layer, chain] = grown[layer, chain];
                    old.Dispose();
                }
            }
        }
        Capacity = capacity;
    }

    private IEnumerable<Tensor> AllTensors() => Both(_keys, _values);

    private static IEnumerable<Tensor> Both(Tensor[,] keys, Tensor[,] values) => keys.Cast<Tensor>().Concat(values.Cast<Tensor>());
}
