using System.Globalization;

namespace Microsoft.ML.CoLM.Inference;

/// <summary>What a stream says of the cache that follows, checked before memory is taken for it.</summary>
/// <param name="Capacity">Tokens that a sequence of the written cache can have.</param>
/// <param name="Tokens">Each sequence's token ids.</param>
/// <param name="Lengths">How many of them each chain has cached, by sequence and chain.</param>
internal sealed record CacheHeader(int Capacity, IReadOnlyList<List<int>> Tokens, int[,] Lengths)
{
    // Lists of empty sequences take several times the header's bytes; a cache of so many has gigabytes.
    private const int MostSequences = 1 << 20;

    /// <summary>The most tokens that a sequence has.</summary>
    public int LongestSequence => Tokens.Max(tokens => tokens.Count);

    public void Write(BinaryWriter writer)
    {
        writer.Write(Capacity);
        writer.Write(Tokens.Count);
        for (var sequence = 0; sequence < Tokens.Count; sequence++)
        {
            writer.Write(Tokens[sequence].Count);
            Tokens[sequence].ForEach(writer.Write);
            for (var chain = 0; chain < Lengths.GetLength(1); chain++)
                writer.Write(Lengths[sequence, chain]);
        }
    }

    /// <summary>Reads what <see cref="Write"/> wrote.</summary>
    /// <param name="reader">A stream that knows its length, and ends with the header.</param>
    /// <param name="config">The model that is to go on.</param>
    /// <exception cref="InvalidDataException">There can be no such cache.</exception>
    public static CacheHeader Read(BinaryReader reader, CoLMConfig config)
    {
        var (capacity, sequenceCount) = (reader.ReadInt32(), reader.ReadInt32());
        if (capacity < 1)
            throw Wrong($"a capacity of {capacity} tokens");
        // A sequence takes at least its numbers.
        var least = sizeof(int) * (1 + (long)config.KeyValueChains);
        if (sequenceCount < 1 || sequenceCount * least > Left(reader))
            throw Wrong($"{sequenceCount} sequences in {Left(reader)} bytes");
        if (sequenceCount > MostSequences)
            throw Wrong($"{sequenceCount} sequences, more than {MostSequences}");

        var tokens = new List<int>[sequenceCount];
        var lengths = new int[sequenceCount, config.KeyValueChains];
        for (var sequence = 0; sequence < sequenceCount; sequence++)
        {
            var count = reader.ReadInt32();
            if (count < 0 || count > capacity || (long)count * sizeof(int) > Left(reader))
                throw Wrong($"a sequence of {count} tokens, with a capacity of {capacity} and {Left(reader)} bytes left");
            tokens[sequence] = new List<int>(count);
            for (var i = 0; i < count; i++)
            {
                var token = reader.ReadInt32();
                if (token < 0 || token >= config.VocabularySize)
                    throw Wrong($"token {token}, with a vocabulary of {config.VocabularySize}");
                tokens[sequence].Add(token);
            }
            for (var chain = 0; chain < config.KeyValueChains; chain++)
            {
                var length = reader.ReadInt32();
                if (length < 0 || length > count)
                    throw Wrong($"{length} cached tokens of a sequence of {count}");
                lengths[sequence, chain] = length;
            }
        }
        if (Left(reader) > 0)
            throw Wrong($"{Left(reader)} bytes behind its last sequence");
        return new(capacity, tokens, lengths);
    }

    /// <summary>What follows: keys, then values of each layer, chain and sequence that has any.</summary>
    public IEnumerable<CachePart> Parts(CoLMConfig config)
    {
        for (var layer = 0; layer < config.LayerCount; layer++)
        {
            for (var chain = 0; chain < config.KeyValueChains; chain++)
            {
                for (var sequence = 0; sequence < Tokens.Count; sequence++)
                {
                    var length = Lengths[sequence, chain];
                    if (length == 0)
                        continue;
                    yield return new(layer, chain, sequence, IsKey: true, config.KeyValueHeads(chain), length);
                    yield return new(layer, chain, sequence, IsKey: false, config.KeyValueHeads(chain), length);
                }
            }
        }
    }

    /// <summary>Elements of all parts.</summary>
    public Int128 ElementCount(CoLMConfig config)
    {
        Int128 count = 0;
        for (var chain = 0; chain < config.KeyValueChains; chain++)
        {
            for (var sequence = 0; sequence < Tokens.Count; sequence++)
                count += (Int128)Lengths[sequence, chain] * config.KeyValueHeads(chain);
        }
        return 2 * count * config.LayerCount * config.HeadWidth;
    }

    private static long Left(BinaryReader reader) => reader.BaseStream.Length - reader.BaseStream.Position;

    private static InvalidDataException Wrong(FormattableString what) =>
        new($"The KV cache's header has {what.ToString(CultureInfo.InvariantCulture)}.");
}
