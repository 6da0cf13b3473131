using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

public sealed partial class KvCache
{
    private const int Version = 2; // 1 had no digest of keys and values

    // The largest possible header: 16 bytes, and the ids of all tokens.
    private const int LongestHeader = 1 << 28;

    // The cache is allocated once this share of its bytes has arrived: a stream's mere claims cost nothing, and what is
    // buffered until then is small beside the cache.
    private const int ArrivedShare = 16;

    // The most memory per byte that follows, for large caches of several sequences: empty ones take few bytes in a header.
    private const int LargestRatio = 1024;
    private const long AlwaysTaken = 64 << 20;

    private static ReadOnlySpan<byte> Magic => "COLMKVC\0"u8;

    /// <summary>
    /// Writes the cached tokens with their keys and values, for another process to continue from. A prefill process needs only
    /// the chains with their own keys, which with KV sharing is the first alone.
    /// </summary>
    /// <param name="stream">Written at its current position, and left open.</param>
    /// <param name="model">The model that filled the cache; its fingerprint is written.</param>
    /// <exception cref="ArgumentException">The cache is for another architecture.</exception>
    /// <exception cref="IOException">The stream cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The cache or the model was disposed.</exception>
    /// <exception cref="InvalidOperationException">The cache is being continued.</exception>
    public void Save(Stream stream, CoLMModel model)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(model);
        using var use = Enter();
        CheckFits(model);
        var header = new CacheHeader(Limit, _tokens, _lengths);
        var bytes = HeaderBytes(header, CacheFingerprint.Of(model));
        using var hashed = new HashedStream(stream);
        hashed.Write(Magic);
        using var writer = new BinaryWriter(hashed, Encoding.UTF8, leaveOpen: true);
        writer.Write(Version);
        writer.Write(bytes.Length);
        writer.Write(bytes);
        writer.Write(SHA256.HashData(bytes));
        writer.Flush();
        using var noGradients = no_grad();
        foreach (var part in header.Parts(Config))
        {
            using var scope = NewDisposeScope();
            TensorBytes.Write(hashed, Part(part));
        }
        stream.Write(hashed.Hash());
    }

    /// <summary>Reads a cache written by <see cref="Save"/>.</summary>
    /// <remarks>
    /// The data is verified with a SHA-256. The sizes that the stream claims are checked before memory is allocated: against
    /// its length if it can seek, otherwise against what has arrived.
    /// </remarks>
    /// <param name="stream">
    /// Read from its current position, and left open. A seekable stream must end with the cache; from one that cannot seek,
    /// such as a network stream, no byte after the cache is read.
    /// </param>
    /// <param name="model">
    /// The model to continue with: one with the same keys and values as the model that filled the cache, for example that model
    /// grown or tuned after its first chain with KV sharing, on any device.
    /// </param>
    /// <param name="capacity">
    /// The maximum length of a sequence, in tokens, which is allocated at once; null continues like the written cache: with
    /// room for its contents, and the same limit.
    /// </param>
    /// <exception cref="InvalidDataException">
    /// The stream contains no cache, or one of another version or model; it is damaged, ends too early or continues after the
    /// cache; or its keys and values are not all finite.
    /// </exception>
    /// <exception cref="InsufficientMemoryException">There is not enough memory; the message has the size in bytes.</exception>
    /// <exception cref="ArgumentOutOfRangeException">
    /// <paramref name="capacity"/> is less than the longest sequence, or above the model's context.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public static KvCache Load(Stream stream, CoLMModel model, int? capacity = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(model);
        using var use = model.Enter();
        if (capacity is { } asked && (asked < 1 || asked > model.Config.ContextLength))
        {
            throw new ArgumentOutOfRangeException(nameof(capacity), FormattableString.Invariant(
                $"capacity must be between 1 and the model's context of {model.Config.ContextLength} tokens, found {asked}."));
        }
        try
        {
            using var hashed = new HashedStream(stream);
            var header = ReadHeader(stream, hashed, model, capacity);
            return Read(stream, hashed, header, model, capacity);
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException("The KV cache ends too early.", e);
        }
    }

    private static CacheHeader ReadHeader(Stream stream, HashedStream hashed, CoLMModel model, int? capacity)
    {
        using var reader = new BinaryReader(hashed, Encoding.UTF8, leaveOpen: true);
        if (!ReadExactly(reader, Magic.Length).AsSpan().SequenceEqual(Magic))
            throw new InvalidDataException("The stream holds no KV cache.");
        var version = reader.ReadInt32();
        if (version != Version)
        {
            throw new InvalidDataException(FormattableString.Invariant(
                $"The KV cache is of version {version}; this library reads version {Version}. Fill one anew from the tokens."));
        }
        var length = reader.ReadInt32();
        if (length is < 0 or > LongestHeader || length > Left(stream))
            throw new InvalidDataException(FormattableString.Invariant($"The KV cache's header cannot have {length} bytes."));
        var bytes = ReadExactly(reader, length);
        if (!ReadExactly(reader, SHA256.HashSizeInBytes).AsSpan().SequenceEqual(SHA256.HashData(bytes)))
            throw new InvalidDataException("The KV cache's header is damaged.");

        using var fields = new BinaryReader(new MemoryStream(bytes));
        if (!fields.ReadBytes(SHA256.HashSizeInBytes).AsSpan().SequenceEqual(CacheFingerprint.Of(model)))
        {
            throw new InvalidDataException("The KV cache is of another model: its weights, settings or element type " +
                "give other keys and values.");
        }
        var header = CacheHeader.Read(fields, model.Config);
        var longest = header.LongestSequence;
        if (longest > capacity)
        {
            throw new ArgumentOutOfRangeException(nameof(capacity), FormattableString.Invariant(
                $"The KV cache holds a sequence of {longest} tokens, more than the capacity of {capacity}."));
        }
        if (longest > model.Config.ContextLength)
        {
            throw new InvalidDataException(FormattableString.Invariant(
                $"The KV cache holds a sequence of {longest} tokens, more than the model's context of {model.Config.ContextLength}."));
        }
        return header;
    }

    private static KvCache Read(Stream stream, HashedStream hashed, CacheHeader header, CoLMModel model, int? capacity)
    {
        var elementSize = (int)model.DataType.ElementSize();
        var expected = header.ElementCount(model.Config) * elementSize + SHA256.HashSizeInBytes;
        if (Left(stream) is { } left && left != expected)
        {
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                $"Behind the KV cache's header {expected} bytes must follow, found {left}."));
        }
        var longest = Math.Max(1, header.LongestSequence);
        var least = SizeFor(model, longest, header.Tokens.Count);
        if (header.Tokens.Count > 1 && least > Int128.Max(AlwaysTaken, LargestRatio * expected))
        {
            throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                $"The KV cache's header has {header.Tokens.Count} sequences, which take {least} bytes, and {expected} follow it."));
        }
        var room = capacity ?? longest;
        var size = SizeFor(model, room, header.Tokens.Count);
        KvCache? cache = null;
        var early = new Queue<(CachePart Part, Tensor Read)>();
        try
        {
            long arrived = 0;
            foreach (var part in header.Parts(model.Config))
            {
                if (arrived >= size / ArrivedShare)
                    Store();
                var read = empty([part.Heads, part.Length, model.Config.HeadWidth], dtype: model.DataType);
                early.Enqueue((part, read));
                if (!TensorBytes.Read(hashed, model.DataType, read))
                {
                    throw new InvalidDataException(string.Create(CultureInfo.InvariantCulture,
                        $"The KV cache's {(part.IsKey ? "keys" : "values")} of layer {part.Layer + 1}, chain {part.Chain + 1}, " +
                        $"sequence {part.Sequence + 1} are not all finite numbers."));
                }
                arrived += read.numel() * elementSize;
            }
            var digest = new byte[SHA256.HashSizeInBytes];
            stream.ReadExactly(digest);
            if (!digest.AsSpan().SequenceEqual(hashed.Hash()))
                throw new InvalidDataException("The KV cache's keys and values are damaged: their SHA-256 is another.");
            return Store();
        }
        catch
        {
            cache?.Dispose();
            throw;
        }
        finally
        {
            foreach (var (_, read) in early)
                read.Dispose();
        }

        KvCache Store()
        {
            cache ??= Create(header, model, capacity, room);
            for (; early.TryDequeue(out var next); next.Read.Dispose())
                cache.Store(next.Part, next.Read);
            return cache;
        }
    }

    private static KvCache Create(CacheHeader header, CoLMModel model, int? capacity, int room)
    {
        var most = capacity ?? Math.Min(header.Capacity, model.Config.ContextLength);
        var cache = new KvCache(model, most, header.Tokens.Count, room, isBlocked: true);
        for (var sequence = 0; sequence < cache.SequenceCount; sequence++)
            cache._tokens[sequence].AddRange(header.Tokens[sequence]);
        Array.Copy(header.Lengths, cache._lengths, cache._lengths.Length);
        return cache;
    }

    private static byte[] HeaderBytes(CacheHeader header, byte[] fingerprint)
    {
        using var bytes = new MemoryStream();
        using var writer = new BinaryWriter(bytes);
        writer.Write(fingerprint);
        header.Write(writer);
        writer.Flush();
        return bytes.ToArray();
    }

    /// <summary>Keys or values of the cached tokens, [heads, length, d], whatever their layout in memory.</summary>
    private Tensor Part(CachePart part)
    {
        var tensor = TensorOf(part);
        return part.IsKey && IsBlocked
            ? tensor[part.Sequence].permute(0, 1, 3, 2).reshape(part.Heads, -1, Config.HeadWidth).narrow(1, 0, part.Length)
            : tensor[part.Sequence].narrow(1, 0, part.Length).narrow(2, 0, Config.HeadWidth);
    }

    private void Store(CachePart part, Tensor read)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var tensor = TensorOf(part);
        if (!part.IsKey || !IsBlocked)
        {
            tensor[part.Sequence].narrow(1, 0, part.Length).narrow(2, 0, Config.HeadWidth).copy_(read);
            return;
        }
        var rows = CachedAttention.Padded(part.Length);
        var whole = zeros([part.Heads, rows, Config.HeadWidth], dtype: DataType);
        whole.narrow(1, 0, part.Length).copy_(read);
        tensor[part.Sequence].narrow(1, 0, rows / CachedAttention.Lanes).copy_(
            whole.view(part.Heads, -1, CachedAttention.Lanes, Config.HeadWidth).permute(0, 1, 3, 2));
    }

    private Tensor TensorOf(CachePart part) => part.IsKey ? Keys(part.Layer, part.Chain) : Values(part.Layer, part.Chain);

    /// <summary>Rejects a model with different keys and values, or on another device.</summary>
    /// <exception cref="ArgumentException">The cache is for another model; the message names the difference.</exception>
    /// <exception cref="ObjectDisposedException">The cache or the model was disposed.</exception>
    internal void CheckFits(CoLMModel model)
    {
        CheckUsable();
        using var use = model.Enter();
        var other = model.Config;
        Check("device", Device.ToString(), model.Device.ToString());
        Check("element type", DataType, model.DataType);
        Check("number of layers", Config.LayerCount, other.LayerCount);
        Check("number of chains with keys of their own", Config.KeyValueChains, other.KeyValueChains);
        Check("head dimension", Config.HeadWidth, other.HeadWidth);
        for (var chain = 0; chain < Config.KeyValueChains; chain++)
            Check($"number of key-value heads in chain {chain + 1}", Config.KeyValueHeads(chain), other.KeyValueHeads(chain));
        Check(nameof(Config.RmsNormEpsilon), Config.RmsNormEpsilon, other.RmsNormEpsilon);
        Check(nameof(Config.RopeTheta), Config.RopeTheta, other.RopeTheta);
        Check(nameof(Config.RopeScaling), Config.RopeScaling?.GetType().Name, other.RopeScaling?.GetType().Name);
        foreach (var (own, found) in (Config.RopeScaling?.Settings ?? []).Zip(other.RopeScaling?.Settings ?? []))
            Check($"{nameof(RopeScaling)}.{own.Name}", own.Value, found.Value);

        static void Check<T>(string what, T own, T found)
        {
            if (EqualityComparer<T>.Default.Equals(own, found))
                return;
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"The KV cache was made for a model whose {what} is {own ?? (object)"none"}, found {found ?? (object)"none"}."),
                nameof(model));
        }
    }

    /// <summary>The number of bytes left in a stream; null if it does not know.</summary>
    private static long? Left(Stream stream)
    {
        try
        {
            return stream.CanSeek ? stream.Length - stream.Position : null;
        }
        catch (NotSupportedException)
        {
            return null;
        }
    }

    private static byte[] ReadExactly(BinaryReader reader, int count)
    {
        // In steps, so that a stream that is shorter than it claims fails before the memory is allocated.
        var bytes = new byte[Math.Min(1 << 16, count)];
        for (var filled = 0; filled < count;)
        {
            if (filled == bytes.Length)
                Array.Resize(ref bytes, (int)Math.Min(2L * filled, count));
            var read = reader.Read(bytes, filled, bytes.Length - filled);
            filled += read > 0 ? read : throw new EndOfStreamException();
        }
        return bytes;
    }
}
