using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Zips that are small and ask for much: refused before it is read.</summary>
[TestClass, DoNotParallelize]
public sealed class ZipBombTests
{
    // Where a record of the archive's directory has the entry's length, and its name.
    private const int Length = 24;
    private const int Name = 46;

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void EntriesThatShareBytesAreRefused()
    {
        using var folder = new TemporaryFolder();
        var bytes = Zip(("e0000", new byte[16 << 20]));
        var (begin, end) = Directory(bytes);
        using var zip = new MemoryStream();
        zip.Write(bytes, 0, begin);
        const int Names = 50;
        for (var i = 0; i < Names; i++)
        {
            Encoding.ASCII.GetBytes($"e{i:D4}", bytes.AsSpan(begin + Name));
            zip.Write(bytes, begin, end - begin);
        }
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(end + 8), Names);
        BinaryPrimitives.WriteUInt16LittleEndian(bytes.AsSpan(end + 10), Names);
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(end + 12), (end - begin) * Names);
        zip.Write(bytes, end, bytes.Length - end);
        File.WriteAllBytes(folder["model.zip"], zip.ToArray());
        Assert.Contains("'e0001' and those before it have more bytes than the file's", MessageOf(folder["model.zip"]));
    }

    [TestMethod]
    public void EntriesThatAreTooLongForTheFileAreRefused()
    {
        using var folder = new TemporaryFolder();
        var noise = new byte[2 << 20];
        new Random(1).NextBytes(noise);
        var bytes = Zip(("long", noise));
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(Directory(bytes).Begin + Length), 1_500_000_000);
        File.WriteAllBytes(folder["model.zip"], bytes);
        Assert.Contains("'long' and those before it are too long", MessageOf(folder["model.zip"]));
    }

    [TestMethod]
    public void ASchemaOfZerosTakesNoMemory()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["model.zip"], Zip(("Schema", new byte[100 << 20])));
        var before = GC.GetAllocatedBytesForCurrentThread();
        Assert.Contains("'Schema' cannot be 104857600 bytes", MessageOf(folder["model.zip"]));
        Assert.IsLessThan(1 << 20, GC.GetAllocatedBytesForCurrentThread() - before);
    }

    [TestMethod]
    public void TooManyEntriesAreRefused()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["model.zip"],
            Zip([.. Enumerable.Range(0, 10_001).Select(i => ($"e{i}", Array.Empty<byte>()))]));
        var message = MessageOf(folder["model.zip"]);
        Assert.Contains("at most 10000 entries", message);
        Assert.Contains("e10000", message);
    }

    [TestMethod]
    public void ChainsInChainsAreSavedAndLoadedUpToAsManyAsAStackBears()
    {
        using var folder = new TemporaryFolder();
        var rows = _mlContext.Rows("text");
        _mlContext.CoLM().Save(Nested(40), rows.Schema, folder["model.zip"]);
        Assert.IsNotNull(_mlContext.CoLM().Load(folder["model.zip"], out _).Transform(rows).Schema.GetColumnOrNull("Copied"));

        var error = Assert.ThrowsExactly<ArgumentException>(
            () => _mlContext.CoLM().Save(Nested(60), rows.Schema, folder["deep.zip"]));
        Assert.Contains("at most 50 folders", error.Message);
        Assert.IsFalse(File.Exists(folder["deep.zip"]));
        _mlContext.Model.Save(Nested(60), rows.Schema, folder["deep.zip"]);
        Assert.Contains("at most 50 folders", MessageOf(folder["deep.zip"]));

        ITransformer Nested(int depth)
        {
            ITransformer model = _mlContext.Transforms.CopyColumns("Copied", "Text").Fit(rows);
            for (var i = 0; i < depth; i++)
                model = new TransformerChain<ITransformer>(model);
            return model;
        }
    }

    private string MessageOf(string path)
    {
        var error = Assert.ThrowsExactly<InvalidDataException>(() => _mlContext.CoLM().Load(path, out _));
        Assert.StartsWith(path, error.Message);
        return error.Message;
    }

    private static byte[] Zip(params (string Name, byte[] Content)[] entries)
    {
        using var stream = new MemoryStream();
        using (var zip = new ZipArchive(stream, ZipArchiveMode.Create, leaveOpen: true))
        {
            foreach (var (name, content) in entries)
            {
                using var entry = zip.CreateEntry(name, CompressionLevel.SmallestSize).Open();
                entry.Write(content);
            }
        }
        return stream.ToArray();
    }

    /// <summary>Where the archive's directory begins, and what follows it.</summary>
    private static (int Begin, int End) Directory(byte[] zip) =>
        (zip.AsSpan().LastIndexOf("PK\x1\x2"u8), zip.AsSpan().LastIndexOf("PK\x5\x6"u8));
}
