using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

/// <summary>
/// The keys and values of the tokens of one or more sequences, so that none is recomputed. With KV sharing (CoLM-Air, arXiv
/// 2505.11820) they are the first chain's alone, and what one chain count has cached serves every other.
/// </summary>
/// <remarks>
/// For each layer and each chain with its own keys, it stores the keys and values of every key-value head, for
/// <see cref="Capacity"/> tokens of each sequence, in the model's type. A requested capacity is allocated at once and is the
/// limit of each sequence. A cache that <see cref="TextGenerator.Prefill"/> creates without one has room for the prompt and a
/// little more, and grows in <see cref="TextGenerator.Continue"/>, up to the model's context. A cache that is disposed while in
/// use is freed when the operation ends, which throws an <see cref="ObjectDisposedException"/> if it had more to do. Only one
/// call at a time may continue or trim it, and none may read it meanwhile: others throw an
/// <see cref="InvalidOperationException"/>. Any number of calls may <see cref="Clone"/> or <see cref="Save"/> it at once.
/// <see cref="Tokens"/> is a view of data that another call may be extending.
/// </remarks>
public sealed partial class KvCache : IDisposable
{
    // Grows by at least this many tokens, and by a quarter of its size. So all copying together costs a few times the cache,
    // which every generated token reads once, and at most a quarter is unused.
    private const int LeastGrowth = 256;
    private const int GrowthShare = 4;

    private readonly Lifetime _lifetime;
    private readonly List<int>[] _tokens;
    private readonly int[,] _lengths;
    private readonly Tensor[,] _keys;
    private readonly Tensor[,] _values;
    private readonly Tensor?[,] _pairs;

    /// <summary>Creates an empty cache.</summary>
    /// <param name="model">The model that it is for.</param>
    /// <param name="capacity">The maximum length of a sequence, in tokens; at most the model's context.</param>
    /// <param name="sequenceCount">The number of sequences.</param>
    /// <exception cref="ArgumentOutOfRangeException">
    /// <paramref name="capacity"/> is below 1 or above the model's context, <paramref name="sequenceCount"/> is below 1, or the
    /// size overflows.
    /// </exception>
    /// <exception cref="InsufficientMemoryException">There is not enough memory; the message has the size in bytes.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public KvCache(CoLMModel model, int capacity, int sequenceCount = 1)
        : this(model, capacity, sequenceCount, room: capacity, isBlocked: true)
    {
    }

    /// <param name="model">As for the public constructor.</param>
    /// <param name="capacity">As for the public constructor.</param>
    /// <param name="sequenceCount">As for the public constructor.</param>
    /// <param name="isBlocked">
    /// False for <see cref="ModuleSession"/>'s layout even if the CPU's kernels could read theirs.
    /// </param>
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
        (_keys, _values, _pairs) = Allocate();  // first, since what cannot be had is mostly this
        _tokens = [.. Enumerable.Range(0, sequenceCount).Select(_ => new List<int>())];
        _lengths = new int[sequenceCount, Config.KeyValueChains];
    }

    /// <summary>Creates a small cache that grows as its sequences need it.</summary>
    /// <param name="model">The model that it is for.</param>
    /// <param name="limit">The maximum length of a sequence, in tokens; at most the model's context.</param>
    /// <param name="sequenceCount">The number of sequences.</param>
    /// <exception cref="ArgumentOutOfRangeException">As for the constructor.</exception>
    internal static KvCache Growing(CoLMModel model, int limit, int sequenceCount = 1) =>
        new(model, limit, sequenceCount, room: LeastGrowth, isBlocked: true);

    /// <summary>
    /// The number of tokens per sequence that fit without growing. A cache created without a capacity grows as needed.
    /// </summary>
    public int Capacity { get; private set; }

    /// <summary>The number of sequences.</summary>
    public int SequenceCount { get; }

    /// <summary>The size of the keys and values in bytes, for <see cref="Capacity"/> tokens of each sequence.</summary>
    public long SizeInBytes => SizeOf(Config, DataType, IsBlocked, Capacity, SequenceCount);

    /// <summary>The maximum length of a sequence, in tokens.</summary>
    internal int Limit { get; }

    internal CoLMConfig Config { get; }

    internal ScalarType DataType { get; }

    internal Device Device { get; }

    /// <summary>
    /// Whether keys and values are laid out as <see cref="CachedAttention"/> reads them, or [sequences, heads, capacity, d].
    /// </summary>
    internal bool IsBlocked { get; }

    /// <summary>Returns the size of a cache in bytes before it is created.</summary>
    /// <param name="model">The model that it is for.</param>
    /// <param name="capacity">The maximum length of a sequence, in tokens.</param>
    /// <param name="sequenceCount">The number of sequences.</param>
    /// <exception cref="ArgumentOutOfRangeException">A number is below 1, or the size overflows.</exception>
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

    /// <summary>Returns the number of cached tokens of a sequence.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The sequence does not exist.</exception>
    public int Length(int sequence = 0) => Tokens(sequence).Count;

    /// <summary>Returns the ids of a sequence's cached tokens.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The sequence does not exist.</exception>
    public IReadOnlyList<int> Tokens(int sequence = 0)
    {
        ArgumentOutOfRangeException.ThrowIfNegative(sequence);
        ArgumentOutOfRangeException.ThrowIfGreaterThanOrEqual(sequence, SequenceCount);
        return ItemList<int>.Over(_tokens[sequence]);
    }

    /// <summary>Truncates a sequence to a length; no memory is moved or freed.</summary>
    /// <exception cref="ArgumentOutOfRangeException">The sequence does not exist, or is shorter.</exception>
    /// <exception cref="ObjectDisposedException">The cache was disposed.</exception>
    /// <exception cref="InvalidOperationException">Another call is using the cache.</exception>
    public void Trim(int length, int sequence = 0)
    {
        using var use = EnterAlone();
        Forget(length, sequence);
    }

    /// <summary>As <see cref="Trim"/>, for callers with exclusive use of the cache.</summary>
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

    /// <summary>Returns a copy with its own memory.</summary>
    /// <exception cref="ObjectDisposedException">The cache was disposed.</exception>
    /// <exception cref="InvalidOperationException">The cache is being continued.</exception>
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

    /// <summary>Frees the memory, or, if the cache is in use, lets the operation in progress do so when it ends.</summary>
    public void Dispose() => _lifetime.Dispose();

    /// <summary>Begins a use: until it is disposed, the memory is not freed.</summary>
    /// <exception cref="ObjectDisposedException">The cache was disposed.</exception>
    /// <exception cref="InvalidOperationException">The cache is being continued.</exception>
    internal Lifetime.Use Enter() => _lifetime.Enter();

    /// <summary>Begins an exclusive use that adds or removes tokens.</summary>
    /// <exception cref="ObjectDisposedException">The cache was disposed.</exception>
    /// <exception cref="InvalidOperationException">The cache is in use.</exception>
    internal Lifetime.Use EnterAlone() => _lifetime.EnterAlone();

    internal void CheckUsable() => _lifetime.Check();

    /// <summary>Keys of a layer: [sequences, heads, capacity / 16, d, 16] when blocked.</summary>
    internal Tensor Keys(int layer, int chain) => _keys[layer, chain];

    /// <summary>Values of a layer: [sequences, heads, capacity, d] in whole vectors when blocked.</summary>
    internal Tensor Values(int layer, int chain) => _values[layer, chain];

    /// <summary>
    /// Keys and values of a layer, the same memory as theirs, so that one operation writes both: [sequences, capacity, 2, heads,
    /// d]. Not when blocked.
    /// </summary>
    internal Tensor Pairs(int layer, int chain) => _pairs[layer, chain]!;

    /// <summary>The number of tokens, from the start of the sequence, whose keys and values a chain has cached.</summary>
    internal int CachedLength(int sequence, int chain) => _lengths[sequence, chain];

    /// <summary>Records that a chain has cached a sequence's tokens up to a length.</summary>
    internal void SetCachedLength(int sequence, int chain, int length) => _lengths[sequence, chain] = length;

    /// <summary>
    /// Makes room for a sequence of a given length. What is cached stays, but the tensors may be replaced.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException">The length exceeds a sequence's maximum.</exception>
    internal void Reserve(int length)
    {
        if (length <= Capacity)
            return;
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, Limit);
        Grow((int)Math.Min(Limit, Math.Max((long)length + LeastGrowth, (long)Capacity + Capacity / GrowthShare)));
    }

    /// <summary>Appends a token to a sequence; the caller writes its keys and values.</summary>
    internal void Append(int sequence, int token) => _tokens[sequence].Add(token);

    private KvCache(KvCache source)
    {
        _lifetime = new Lifetime(this, Free);
        (Config, DataType, Device, IsBlocked) = (source.Config, source.DataType, source.Device, source.IsBlocked);
        (Capacity, Limit, SequenceCount) = (source.Capacity, source.Limit, source.SequenceCount);
        _tokens = [.. source._tokens.Select(tokens => new List<int>(tokens))];
        _lengths = (int[,])source._lengths.Clone();
        (_keys, _values, _pairs) = Allocate();
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

    // Zeros, because attention multiplies what follows the last position by zero.
    private (Tensor[,] Keys, Tensor[,] Values, Tensor?[,] Pairs) Allocate()
    {
        var (keys, values, pairs) = Allocate(Capacity);
        using var noGradients = no_grad();
        foreach (var tensor in Both(keys, values))
            tensor.zero_().Dispose();
        return (keys, values, pairs);
    }

    private void Free()
    {
        foreach (var tensor in AllTensors())
            tensor.Dispose();
        foreach (var pair in _pairs)
            pair?.Dispose();
    }

    /// <summary>Uninitialized memory for the given number of tokens of each sequence.</summary>
    private (Tensor[,] Keys, Tensor[,] Values, Tensor?[,] Pairs) Allocate(int capacity)
    {
        var size = SizeOf(Config, DataType, IsBlocked, capacity, SequenceCount);
        var keys = new Tensor[Config.LayerCount, Config.KeyValueChains];
        var values = new Tensor[Config.LayerCount, Config.KeyValueChains];
        var pairs = new Tensor?[Config.LayerCount, Config.KeyValueChains];
        try
        {
            for (var layer = 0; layer < Config.LayerCount; layer++)
            {
                for (var chain = 0; chain < Config.KeyValueChains; chain++)
                {
                    if (IsBlocked)
                        (keys[layer, chain], values[layer, chain]) = (New(chain, isKey: true), New(chain, isKey: false));
                    else
                        (keys[layer, chain], values[layer, chain], pairs[layer, chain]) = NewPair(chain);
                }
            }
            return (keys, values, pairs);
        }
        catch (Exception e)
        {
            foreach (var tensor in Both(keys, values).Concat(pairs.Cast<Tensor?>()))
                tensor?.Dispose();
            if (e is not (ExternalException or OutOfMemoryException))
                throw;
            throw new InsufficientMemoryException(FormattableString.Invariant(
                $"A KV cache of {SequenceCount} sequences of {capacity} tokens takes {size} bytes, which {Device} does not have."), e);
        }

        Tensor New(int chain, bool isKey) => empty(
            Shape(Config, chain, IsBlocked, capacity, SequenceCount, isKey), dtype: DataType, device: Device)
            .DetachFromDisposeScope();

        (Tensor Keys, Tensor Values, Tensor Pair) NewPair(int chain)
        {
            using var scope = NewDisposeScope();
            var both = empty([2, .. Shape(Config, chain, isBlocked: false, capacity, SequenceCount, isKey: true)],
                dtype: DataType, device: Device);
            return (both.select(0, 0).DetachFromDisposeScope(), both.select(0, 1).DetachFromDisposeScope(),
                both.permute(1, 3, 0, 2, 4).DetachFromDisposeScope());
        }
    }

    private void Grow(int capacity)
    {
        using var noGradients = no_grad();
        // All are allocated before any is copied, so that the cache stays as it was if memory runs out. The CPU commits memory
        // only when it is written: of what is copied, no more than one layer's of a chain exists twice.
        var (keys, values, pairs) = Allocate(capacity);
        for (var layer = 0; layer < Config.LayerCount; layer++)
        {
            for (var chain = 0; chain < Config.KeyValueChains; chain++)
            {
                foreach (var (own, grown) in new[] { (_keys, keys), (_values, values) })
                {
                    using var scope = NewDisposeScope();
                    var old = own[layer, chain];
                    var (filled, all) = (old.size(2), grown[layer, chain].size(2));     // positions, or blocks of them
                    grown[layer, chain].narrow(2, 0, filled).copy_(old);
                    grown[layer, chain].narrow(2, filled, all - filled).zero_();
                    own[layer, chain] = grown[layer, chain];
                    old.Dispose();
                }
                _pairs[layer, chain]?.Dispose();
                _pairs[layer, chain] = pairs[layer, chain];
            }
        }
        Capacity = capacity;
    }

    private IEnumerable<Tensor> AllTensors() => Both(_keys, _values);

    private static IEnumerable<Tensor> Both(Tensor[,] keys, Tensor[,] values) => keys.Cast<Tensor>().Concat(values.Cast<Tensor>());
}
