using System.Globalization;
using System.Security.Cryptography;
using System.Text;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

public sealed partial class KvCache
{
    private const int Version = 1;

    // What a header can be at most: 16 bytes, and the ids of all tokens.
    private const int LongestHeader = 1 << 28;

    private static ReadOnlySpan<byte> Magic => "COLMKVC\0"u8;

    /// <summary>
    /// Writes the cached tokens with their keys and values, for another process to go on from: a prefill process needs
    /// the chains that have keys of their own, with KV sharing the first alone.
    /// </summary>
    /// <param name="stream">Written from where it stands, and left open.</param>
    /// <param name="model">The model that the cache was filled by; its fingerprint is written.</param>
    /// <exception cref="ArgumentException">The cache is of another architecture.</exception>
    /// <exception cref="IOException">The stream cannot be written.</exception>
    /// <exception cref="ObjectDisposedException">The cache or the model was disposed.</exception>
    public void Save(Stream stream, CoLMModel model)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(model);
        using var use = Enter();
        CheckFits(model);
        var header = Header(CacheFingerprint.Of(model));
        stream.Write(Magic);
        using var writer = new BinaryWriter(stream, Encoding.UTF8, leaveOpen: true);
        writer.Write(Version);
        writer.Write(header.Length);
        writer.Write(header);
        writer.Write(SHA256.HashData(header));
        writer.Flush();
        ForEachPart((tensor, isKey, sequence, length) =>
        {
            using var scope = NewDisposeScope();
            TensorBytes.Write(stream, isKey && IsBlocked
                ? tensor[sequence].permute(0, 1, 3, 2).reshape(tensor.size(1), -1, Config.HeadWidth).narrow(1, 0, length)
                : tensor[sequence].narrow(1, 0, length).narrow(2, 0, Config.HeadWidth));
        });
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <param name="stream">Read from where it stands, and left open.</param>
    /// <param name="model">
    /// The model to go on with: one whose keys and values are those of the model that filled the cache, for example that
    /// one grown or tuned behind its first chain with KV sharing, on any device.
    /// </param>
    /// <param name="capacity">
    /// Tokens that a sequence can have, whose memory is taken at once; null goes on as the written cache would: with room for
    /// what is in it, and as many tokens as that one could have.
    /// </param>
    /// <exception cref="InvalidDataException">
    /// The stream holds no cache, or one of another version or another model; it is damaged or ends too early.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException">
    /// <paramref name="capacity"/> is less than the longest sequence has, or above the model's context.
    /// </exception>
    public static KvCache Load(Stream stream, CoLMModel model, int? capacity = null)
    {
        ArgumentNullException.ThrowIfNull(stream);
        ArgumentNullException.ThrowIfNull(model);
        model.CheckUsable();
        try
        {
            using var reader = new BinaryReader(stream, Encoding.UTF8, leaveOpen: true);
            return Read(reader, model, capacity);
        }
        catch (EndOfStreamException e)
        {
            throw new InvalidDataException("The KV cache ends too early.", e);
        }
    }

    private static KvCache Read(BinaryReader reader, CoLMModel model, int? capacity)
    {
        if (!ReadExactly(reader, Magic.Length).AsSpan().SequenceEqual(Magic))
            throw new InvalidDataException("The stream holds no KV cache.");
        var version = reader.ReadInt32();
        if (version != Version)
            throw new InvalidDataException($"The KV cache is of version {version}; this library reads version {Version}.");
        var length = reader.ReadInt32();
        if (length is < 0 or > LongestHeader)
            throw new InvalidDataException($"The KV cache's header cannot have {length} bytes.");
        var header = ReadExactly(reader, length);
        if (!ReadExactly(reader, SHA256.HashSizeInBytes).AsSpan().SequenceEqual(SHA256.HashData(header)))
            throw new InvalidDataException("The KV cache's header is damaged.");

        using var fields = new BinaryReader(new MemoryStream(header));
        if (!fields.ReadBytes(SHA256.HashSizeInBytes).AsSpan().SequenceEqual(CacheFingerprint.Of(model)))
        {
            throw new InvalidDataException("The KV cache is of another model: its weights, settings or element type " +
                "give other keys and values.");
        }
        var (stored, sequenceCount) = (fields.ReadInt32(), fields.ReadInt32());
        var cache = capacity is { } most
            ? new KvCache(model, most, sequenceCount)
            : Growing(model, Math.Min(stored, model.Config.ContextLength), sequenceCount);
        try
        {
            cache.ReadHeader(fields, capacity);
            cache.ForEachPart((tensor, isKey, sequence, tokens) => cache.ReadPart(reader, tensor, isKey, sequence, tokens));
            return cache;
        }
        catch
        {
            cache.Dispose();
            throw;
        }
    }

    private byte[] Header(byte[] fingerprint)
    {
        using var header = new MemoryStream();
        using var writer = new BinaryWriter(header);
        writer.Write(fingerprint);
        writer.Write(Limit);
        writer.Write(SequenceCount);
        for (var sequence = 0; sequence < SequenceCount; sequence++)
        {
            writer.Write(_tokens[sequence].Count);
            _tokens[sequence].ForEach(writer.Write);
            for (var chain = 0; chain < Config.KeyValueChains; chain++)
                writer.Write(_lengths[sequence, chain]);
        }
        writer.Flush();
        return header.ToArray();
    }

    private void ReadHeader(BinaryReader fields, int? capacity)
    {
        for (var sequence = 0; sequence < SequenceCount; sequence++)
        {
            var count = fields.ReadInt32();
            if (count > Limit)
            {
                throw new ArgumentOutOfRangeException(nameof(capacity), capacity,
                    $"The KV cache holds a sequence of {count} tokens, more than the capacity of {Limit}.");
            }
            for (var i = 0; i < count; i++)
                _tokens[sequence].Add(fields.ReadInt32());
            for (var chain = 0; chain < Config.KeyValueChains; chain++)
                _lengths[sequence, chain] = fields.ReadInt32();
        }
        Reserve(_tokens.Max(tokens => tokens.Count));
    }

    private void ReadPart(BinaryReader reader, Tensor tensor, bool isKey, int sequence, int length)
    {
        using var scope = NewDisposeScope();
        var isBlockedKey = isKey && IsBlocked;
        var rows = isBlockedKey ? CachedAttention.Padded(length) : length;
        var heads = tensor.size(1);
        var read = empty([heads, length, Config.HeadWidth], dtype: DataType);
        TensorBytes.Read(reader.BaseStream, ElementType.OfWeights(DataType), read);
        if (!isBlockedKey)
        {
            tensor[sequence].narrow(1, 0, length).narrow(2, 0, Config.HeadWidth).copy_(read);
            return;
        }
        var whole = zeros([heads, rows, Config.HeadWidth], dtype: DataType);
        whole.narrow(1, 0, length).copy_(read);
        tensor[sequence].narrow(1, 0, rows / CachedAttention.Lanes).copy_(
            whole.view(heads, -1, CachedAttention.Lanes, Config.HeadWidth).permute(0, 1, 3, 2));
    }

    /// <summary>Goes through what is cached: a layer's keys or values of one chain and sequence at a time.</summary>
    private void ForEachPart(Action<Tensor, bool, int, int> action)
    {
        using var noGradients = no_grad();
        for (var layer = 0; layer < Config.LayerCount; layer++)
        {
            for (var chain = 0; chain < Config.KeyValueChains; chain++)
            {
                for (var sequence = 0; sequence < SequenceCount; sequence++)
                {
                    var length = _lengths[sequence, chain];
                    if (length == 0)
                        continue;
                    action(Keys(layer, chain), true, sequence, length);
                    action(Values(layer, chain), false, sequence, length);
                }
            }
        }
    }

    /// <summary>Refuses a model whose keys and values would be others, or lie elsewhere.</summary>
    /// <exception cref="ArgumentException">The cache is of another one; the message names the difference.</exception>
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
        Check($"{nameof(RopeScaling)}.{nameof(RopeScaling.Factor)}",
            Config.RopeScaling?.Factor, other.RopeScaling?.Factor);
        Check($"{nameof(RopeScaling)}.{nameof(RopeScaling.LowFrequencyFactor)}",
            Config.RopeScaling?.LowFrequencyFactor, other.RopeScaling?.LowFrequencyFactor);
        Check($"{nameof(RopeScaling)}.{nameof(RopeScaling.HighFrequencyFactor)}",
            Config.RopeScaling?.HighFrequencyFactor, other.RopeScaling?.HighFrequencyFactor);
        Check($"{nameof(RopeScaling)}.{nameof(RopeScaling.OriginalContextLength)}",
            Config.RopeScaling?.OriginalContextLength, other.RopeScaling?.OriginalContextLength);

        static void Check<T>(string what, T own, T found)
        {
            if (EqualityComparer<T>.Default.Equals(own, found))
                return;
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture,
                $"The KV cache was made for a model whose {what} is {own ?? (object)"none"}, found {found ?? (object)"none"}."),
                nameof(model));
        }
    }

    private static byte[] ReadExactly(BinaryReader reader, int count)
    {
        // In steps, so that a stream that is shorter than it says ends this before the memory is taken.
        using var bytes = new MemoryStream();
        while (bytes.Length < count)
        {
            var read = reader.ReadBytes((int)Math.Min(1 << 16, count - bytes.Length));
            if (read.Length == 0)
                throw new EndOfStreamException();
            bytes.Write(read);
        }
        return bytes.ToArray();
    }
}
