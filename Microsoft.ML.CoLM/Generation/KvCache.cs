using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

/// <summary>
/// Keys and values of the tokens that sequences consist of so far, so that none is computed again. With KV sharing
/// (CoLM-Air, arXiv 2505.11820) they are the first chain's alone, and what one chain count cached serves every other.
/// </summary>
/// <remarks>
/// All memory is taken at once, when the cache is made: for each layer and each chain with keys of its own, keys and
/// values of every key-value head for <see cref="Capacity"/> tokens of each sequence, in the model's type.
/// </remarks>
public sealed partial class KvCache : IDisposable
{
    private readonly List<int>[] _tokens;
    private readonly int[,] _lengths;
    private readonly Tensor[,] _keys;
    private readonly Tensor[,] _values;

    /// <summary>An empty cache.</summary>
    /// <param name="model">The model it is for.</param>
    /// <param name="capacity">Tokens that a sequence can have, at most the model's context.</param>
    /// <param name="sequenceCount">Sequences.</param>
    /// <exception cref="ArgumentOutOfRangeException">
    /// <paramref name="capacity"/> is below 1 or above the model's context, or there is no sequence.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public KvCache(CoLMModel model, int capacity, int sequenceCount = 1)
    {
        ArgumentNullException.ThrowIfNull(model);
        model.CheckUsable();
        ArgumentOutOfRangeException.ThrowIfLessThan(sequenceCount, 1);
        if (capacity < 1 || capacity > model.Config.ContextLength)
        {
            throw new ArgumentOutOfRangeException(nameof(capacity), capacity,
                $"capacity must be between 1 and the model's context of {model.Config.ContextLength} tokens, found {capacity}.");
        }
        (Config, DataType, Device) = (model.Config, model.DataType, model.Device);
        (Capacity, SequenceCount) = (capacity, sequenceCount);
        IsBlocked = Device.type == DeviceType.CPU && DataType is ScalarType.Float32 or ScalarType.BFloat16;
        _tokens = [.. Enumerable.Range(0, sequenceCount).Select(_ => new List<int>())];
        _lengths = new int[sequenceCount, Config.KeyValueChains];
        _keys = Allocate(isKey: true);
        _values = Allocate(isKey: false);
    }

    /// <summary>Tokens that a sequence can have.</summary>
    public int Capacity { get; }

    /// <summary>Sequences.</summary>
    public int SequenceCount { get; }

    /// <summary>Bytes of all keys and values.</summary>
    public long SizeInBytes => SizeOf(Config, DataType, IsBlocked, Capacity, SequenceCount);

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
    public static long SizeFor(CoLMModel model, int capacity, int sequenceCount = 1)
    {
        ArgumentNullException.ThrowIfNull(model);
        ArgumentOutOfRangeException.ThrowIfLessThan(capacity, 1);
        ArgumentOutOfRangeException.ThrowIfLessThan(sequenceCount, 1);
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
        return _tokens[sequence];
    }

    /// <summary>Forgets a sequence's tokens from a length on; no memory is moved or freed.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There is no such sequence, or it is not that long.</exception>
    public void Trim(int length, int sequence = 0)
    {
        var tokens = (List<int>)Tokens(sequence);
        ArgumentOutOfRangeException.ThrowIfNegative(length);
        ArgumentOutOfRangeException.ThrowIfGreaterThan(length, tokens.Count);
        tokens.RemoveRange(length, tokens.Count - length);
        for (var chain = 0; chain < Config.KeyValueChains; chain++)
            _lengths[sequence, chain] = Math.Min(_lengths[sequence, chain], length);
    }

    /// <summary>A copy with memory of its own.</summary>
    public KvCache Clone()
    {
        var copy = new KvCache(this);
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        foreach (var (own, copied) in AllTensors().Zip(copy.AllTensors()))
            copied.copy_(own);
        return copy;
    }

    /// <summary>Frees the memory.</summary>
    public void Dispose()
    {
        foreach (var tensor in AllTensors())
            tensor.Dispose();
    }

    /// <summary>Keys of a layer: [sequences, heads, capacity / 16, d, 16] when blocked.</summary>
    internal Tensor Keys(int layer, int chain) => _keys[layer, chain];

    /// <summary>Values of a layer: [sequences, heads, capacity, d] in whole vectors when blocked.</summary>
    internal Tensor Values(int layer, int chain) => _values[layer, chain];

    /// <summary>Tokens whose keys and values a chain has cached: the first ones of the sequence.</summary>
    internal int CachedLength(int sequence, int chain) => _lengths[sequence, chain];

    /// <summary>A chain has cached a sequence's tokens up to a length.</summary>
    internal void SetCachedLength(int sequence, int chain, int length) => _lengths[sequence, chain] = length;

    /// <summary>Adds a token to a sequence's end; its keys and values are the caller's to write.</summary>
    internal void Append(int sequence, int token) => _tokens[sequence].Add(token);

    private KvCache(KvCache source)
    {
        (Config, DataType, Device, IsBlocked) = (source.Config, source.DataType, source.Device, source.IsBlocked);
        (Capacity, SequenceCount) = (source.Capacity, source.SequenceCount);
        _tokens = [.. source._tokens.Select(tokens => new List<int>(tokens))];
        _lengths = (int[,])source._lengths.Clone();
        _keys = Allocate(isKey: true);
        _values = Allocate(isKey: false);
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
        return bytes <= long.MaxValue ? (long)bytes : throw new ArgumentOutOfRangeException(nameof(capacity), capacity,
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

    private Tensor[,] Allocate(bool isKey)
    {
        var tensors = new Tensor[Config.LayerCount, Config.KeyValueChains];
        for (var layer = 0; layer < Config.LayerCount; layer++)
        {
            for (var chain = 0; chain < Config.KeyValueChains; chain++)
            {
                // Zeros, since attention multiplies what lies behind the last position by zero.
                tensors[layer, chain] = zeros(
                    Shape(Config, chain, IsBlocked, Capacity, SequenceCount, isKey), dtype: DataType, device: Device)
                    .DetachFromDisposeScope();
            }
        }
        return tensors;
    }

    private IEnumerable<Tensor> AllTensors() => _keys.Cast<Tensor>().Concat(_values.Cast<Tensor>());
}
