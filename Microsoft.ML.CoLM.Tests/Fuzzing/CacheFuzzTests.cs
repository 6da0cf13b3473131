using System.Security.Cryptography;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Generation;
using Microsoft.ML.CoLM.Tests.Inference;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Fuzzing;

/// <summary>Streams of caches that are not what they were.</summary>
[TestClass, DoNotParallelize]
public sealed class CacheFuzzTests
{
    private const int HeaderBegin = 16;

    [TestMethod]
    [DataRow(900)]
    public void CacheStreams(int count)
    {
        using var model = SessionModels.Create("4,4", kvSharing: false, float32);
        using var cache = new KvCache(model, 48, sequenceCount: 2);
        using (var session = DecodingSession.Create(model, cache, ownsCache: false, mayGrow: false))
            session.Prefill(0, [1, 2, 3, 4, 5], 2);
        using var saved = new MemoryStream();
        cache.Save(saved, model);
        var bytes = saved.ToArray();
        Fuzzer.Run(nameof(CacheStreams), count, random =>
        {
            var isCrafted = random.Next(3) == 0;
            var damaged = isCrafted ? OfHeader(bytes, random) : Mutation.OfBytes(bytes, random);
            Stream stream = random.Next(2) == 0 ? new MemoryStream(damaged) : new ForwardOnlyStream(damaged);
            using var read = KvCache.Load(stream, model);
            if (!isCrafted)
            {
                CollectionAssert.AreEqual(cache.Tokens().ToArray(), read.Tokens().ToArray());
                Assert.IsTrue(Keys(cache).SequenceEqual(Keys(read)));
            }
            // Whatever it is a cache of: it can be gone on with.
            read.Trim(Math.Min(read.Length(), read.Capacity - 1));
            using var session = DecodingSession.Create(model, read, ownsCache: false, mayGrow: false);
            session.Prefill(0, [1], 2);
            return true;
        }, typeof(InvalidDataException));
    }

    private static byte[] Keys(KvCache cache)
    {
        using var scope = NewDisposeScope();
        return cache.Keys(0, 0)[0].narrow(1, 0, 1).contiguous().bytes.ToArray();
    }

    /// <summary>The header changed behind its fingerprint, with digests of what it is then.</summary>
    private static byte[] OfHeader(byte[] bytes, Random random)
    {
        var length = BitConverter.ToInt32(bytes, HeaderBegin - sizeof(int));
        var fields = bytes[(HeaderBegin + SHA256.HashSizeInBytes)..(HeaderBegin + length)];
        byte[] header = [.. bytes[HeaderBegin..(HeaderBegin + SHA256.HashSizeInBytes)], .. Mutation.OfBytes(fields, random)];
        byte[] all = [.. bytes[..(HeaderBegin - sizeof(int))], .. BitConverter.GetBytes(header.Length), .. header,
            .. SHA256.HashData(header), .. bytes[(HeaderBegin + length + SHA256.HashSizeInBytes)..^SHA256.HashSizeInBytes]];
        return [.. all, .. SHA256.HashData(all)];
    }
}
