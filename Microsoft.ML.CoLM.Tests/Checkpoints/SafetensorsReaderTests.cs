using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Interop;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

[TestClass, DoNotParallelize]
public sealed class SafetensorsReaderTests
{
    private const long Megabyte = 1 << 20;

    private const string TwoTensors =
        """
        {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},
         "b":{"dtype":"I64","shape":[],"data_offsets":[8,16]}}
        """;

    [TestMethod]
    public void TensorsAreReadInTheirOwnTypeAndShape()
    {
        using var reader = Open(SafetensorsBytes.Of(TwoTensors, 16));
        using var a = reader.Read(reader.Find("a")!);
        using var b = reader.Read(reader.Find("b")!);
        Assert.AreEqual(ScalarType.Float32, a.dtype);
        CollectionAssert.AreEqual(new byte[] { 0, 1, 2, 3, 4, 5, 6, 7 }, a.bytes.ToArray());
        Assert.AreEqual(0x0f0e0d0c0b0a0908, b.item<long>());
    }

    [TestMethod]
    public void AStreamOfUnknownLengthGivesTheSameTensorsAndIsReadToItsEnd()
    {
        var stream = new ForwardOnlyStream(SafetensorsBytes.Of(TwoTensors, 16), piece: 3);
        using var reader = new SafetensorsReader(stream, "entry");
        using var b = reader.Read(reader.Find("b")!);
        Assert.AreEqual(0x0f0e0d0c0b0a0908, b.item<long>());
        reader.CheckEnd();
    }

    [TestMethod]
    [DataRow("""{"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]""", "not valid JSON")]
    [DataRow("""[1]""", "must be a JSON object")]
    [DataRow(
        """
        {"a":{"dtype":"F32","shape":[2],"data_offsets":[0,8]},"a":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}
        """, "not valid JSON")]
    [DataRow("""{"a":{"dtype":"F32","dtype":"F32","shape":[4],"data_offsets":[0,16]}}""", "not valid JSON")]
    [DataRow("""{"__metadata__":{"format":1},"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16]}}""", "__metadata__")]
    [DataRow("""{"a":5}""", "\"a\" must be described by a JSON object")]
    [DataRow("""{"a":{"shape":[4],"data_offsets":[0,16]}}""", "\"a\" has no dtype")]
    [DataRow("""{"a":{"dtype":"F32","data_offsets":[0,16]}}""", "\"a\" has no shape")]
    [DataRow("""{"a":{"dtype":"F32","shape":[4]}}""", "\"a\" has no data_offsets")]
    [DataRow("""{"a":{"dtype":7,"shape":[4],"data_offsets":[0,16]}}""", "\"a\" has a dtype")]
    [DataRow("""{"a":{"dtype":"Q3","shape":[4],"data_offsets":[0,16]}}""", "unknown element type \"Q3\"")]
    [DataRow("""{"a":{"dtype":"F32","shape":[-4],"data_offsets":[0,16]}}""", "-4 in its shape")]
    [DataRow("""{"a":{"dtype":"F32","shape":[4.5],"data_offsets":[0,16]}}""", "4.5 in its shape")]
    [DataRow("""{"a":{"dtype":"F32","shape":["4"],"data_offsets":[0,16]}}""", "\"4\" in its shape")]
    [DataRow("""{"a":{"dtype":"F32","shape":[99999999999999999999],"data_offsets":[0,16]}}""", "in its shape")]
    [DataRow("""{"a":{"dtype":"F32","shape":[4611686018427387904,4],"data_offsets":[0,16]}}""", "overflows")]
    [DataRow("""{"a":{"dtype":"F32","shape":[4],"data_offsets":[0,16,16]}}""", "two data_offsets, found 3")]
    [DataRow("""{"a":{"dtype":"F32","shape":[4],"data_offsets":[16,0]}}""", "end before they begin")]
    [DataRow("""{"a":{"dtype":"F32","shape":[4],"data_offsets":[-1,15]}}""", "in its data_offsets")]
    [DataRow("""{"a":{"dtype":"F32","shape":[5],"data_offsets":[0,20]}}""", "ends at byte 20")]
    [DataRow("""{"a":{"dtype":"F32","shape":[3],"data_offsets":[0,16]}}""",
        "is 12 bytes, but its data_offsets [0, 16]")]
    [DataRow(
        """
        {"a":{"dtype":"F32","shape":[3],"data_offsets":[0,12]},"b":{"dtype":"F32","shape":[2],"data_offsets":[8,16]}}
        """, "overlaps")]
    [DataRow(
        """
        {"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},"b":{"dtype":"F32","shape":[1],"data_offsets":[12,16]}}
        """, "no tensor")]
    [DataRow("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", "describes 4 bytes of tensors, but 16")]
    [DataRow("""{}""", "describes 0 bytes of tensors, but 16")]
    public void AHeaderThatIsWrongIsRefusedByNameBeforeAnyLargeAllocation(string header, string expected)
    {
        var file = SafetensorsBytes.Of(header, 16);
        var error = RefuseWithoutAllocating(() => Open(file).Dispose());
        Assert.StartsWith("x.safetensors: ", error.Message);
        Assert.Contains(expected, error.Message);
    }

    [TestMethod]
    [DataRow(new byte[0], "shorter than the 8 bytes")]
    [DataRow(new byte[] { 1, 0, 0 }, "shorter than the 8 bytes")]
    [DataRow(new byte[] { 9, 0, 0, 0, 0, 0, 0, 0, 0x7b }, "9 bytes long, but the file has only 1")]
    [DataRow(new byte[] { 0, 0xe1, 0xf5, 5, 0, 0, 0, 0, 0x7b }, "100000000 bytes long, but the file has only 1")]
    [DataRow(new byte[] { 1, 0xe1, 0xf5, 5, 0, 0, 0, 0, 0x7b }, "more than the 100000000 that the format allows")]
    [DataRow(new byte[] { 255, 255, 255, 255, 255, 255, 255, 255, 0x7b }, "more than the 100000000")]
    public void AHeaderLengthBeyondTheFileIsRefusedBeforeAnyLargeAllocation(byte[] file, string expected)
    {
        var error = RefuseWithoutAllocating(() => Open(file).Dispose());
        Assert.Contains(expected, error.Message);
    }

    [TestMethod]
    public void AStreamThatClaimsALongHeaderAndHasNoneCostsNothing()
    {
        byte[] start = [0, 0xe1, 0xf5, 5, 0, 0, 0, 0, 0x7b];
        var error = RefuseWithoutAllocating(
            () => new SafetensorsReader(new ForwardOnlyStream(start), "entry").Dispose());
        Assert.Contains("the data ends after 1 of them", error.Message);
    }

    [TestMethod]
    public void AStreamOfUnknownLengthThatEndsWithinATensorIsRefusedByTheTensorsName()
    {
        var file = SafetensorsBytes.Of(TwoTensors, 13);
        using var reader = new SafetensorsReader(new ForwardOnlyStream(file), "entry");
        var error = Assert.ThrowsExactly<InvalidDataException>(() => reader.Read(reader.Find("b")!));
        Assert.Contains("entry: truncated", error.Message);
        Assert.Contains("\"b\"", error.Message);
    }

    [TestMethod]
    public void AStreamOfUnknownLengthThatGoesOnIsRefused()
    {
        using var reader = new SafetensorsReader(new ForwardOnlyStream(SafetensorsBytes.Of(TwoTensors, 17)), "entry");
        var error = Assert.ThrowsExactly<InvalidDataException>(reader.CheckEnd);
        Assert.Contains("more follow", error.Message);
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(100)]
    [DataRow(5_000_000)]
    public void AFileThatIsCutShortWhileItIsReadIsRefusedByTheTensorsName(int left)
    {
        if (OperatingSystem.IsWindows())
            Assert.Inconclusive("This test cuts a file while it is open, which Windows does not let it: it needs another system.");
        const int Length = 12_000_000;
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["a"], SafetensorsBytes.Of(
            $$$"""{"a":{"dtype":"U8","shape":[{{{Length}}}],"data_offsets":[0,{{{Length}}}]}}""", Length));
        using var reader = SafetensorsReader.Open(folder["a"]);
        using (var other = new FileStream(folder["a"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite))
            other.SetLength(left);
        var error = Assert.ThrowsExactly<InvalidDataException>(() => reader.Read(reader.Entries[0]));
        Assert.Contains("truncated", error.Message);
        Assert.Contains("\"a\"", error.Message);
    }

    [TestMethod]
    public void AFileThatIsCutInTheMiddleOfAReadIsRefusedAndTheProcessLives()
    {
        if (OperatingSystem.IsWindows())
            Assert.Inconclusive("This test cuts a file while it is open, which Windows does not let it: it needs another system.");
        const int Length = 12_000_000;
        using var folder = new TemporaryFolder();
        var file = SafetensorsBytes.Of(
            $$$"""{"a":{"dtype":"U8","shape":[{{{Length}}}],"data_offsets":[0,{{{Length}}}]}}""", Length);
        File.WriteAllBytes(folder["a"], file);
        using var other = new FileStream(folder["a"], FileMode.Open, FileAccess.Write, FileShare.ReadWrite);
        using var stop = new CancellationTokenSource();
        var cutting = Task.Run(() =>
        {
            for (var length = 1000; !stop.IsCancellationRequested; length = (length + 1_000_003) % file.Length)
            {
                other.SetLength(length);
                other.SetLength(file.Length);
            }
        });
        for (var i = 0; i < 50; i++)
        {
            try
            {
                using var reader = SafetensorsReader.Open(folder["a"]);
                reader.Read(reader.Entries[0]).Dispose();
            }
            catch (InvalidDataException)
            {
                // Cut; otherwise zeros were found where it had been, which only a checksum tells.
            }
        }
        stop.Cancel();
        cutting.Wait();
    }

    [TestMethod]
    [DataRow(ScalarType.Float32, 0x7FC00000u, "NaN")]
    [DataRow(ScalarType.Float32, 0xFF800000u, "infinite")]
    [DataRow(ScalarType.BFloat16, 0x7FC0u, "NaN")]
    [DataRow(ScalarType.BFloat16, 0xFF80u, "infinite")]
    [DataRow(ScalarType.Float16, 0xFE01u, "NaN")]
    [DataRow(ScalarType.Float16, 0x7C00u, "infinite")]
    public void AnElementThatIsNoFiniteNumberIsRefusedWhereverItStands(ScalarType type, uint bits, string problem)
    {
        var stored = SafetensorsType.OfWeights(type);
        foreach (var count in (int[])[1, 100])
        {
            var header = $$$"""
                {"a":{"dtype":"{{{stored.Name}}}","shape":[{{{count}}}],"data_offsets":[0,{{{count * stored.Size}}}]}}
                """;
            for (var place = 0; place < count; place++)
            {
                var file = SafetensorsBytes.Of(header, count * stored.Size);
                file.AsSpan(^(count * stored.Size)..).Clear();
                BitConverter.GetBytes(bits).AsSpan(0, stored.Size).CopyTo(file.AsSpan(^((count - place) * stored.Size)..));
                using var reader = new SafetensorsReader(new MemoryStream(file), "x.safetensors");
                var error = Assert.ThrowsExactly<InvalidDataException>(() => reader.Read(reader.Entries[0]));
                foreach (var part in (string[])["x.safetensors", "\"a\"", stored.Name, problem])
                    Assert.Contains(part, error.Message);
            }
        }
    }

    [TestMethod]
    public void ANumberThatTheModelsTypeCannotHoldIsRefused()
    {
        var file = SafetensorsBytes.Of("""{"a":{"dtype":"F32","shape":[1],"data_offsets":[0,4]}}""", 4);
        BitConverter.GetBytes(1e6f).CopyTo(file, file.Length - sizeof(float));
        using var narrow = zeros(1, float16);
        using var wide = zeros(1, bfloat16);
        using var first = new SafetensorsReader(new MemoryStream(file), "x.safetensors");
        first.Read(first.Entries[0], wide);
        using var second = new SafetensorsReader(new MemoryStream(file), "x.safetensors");
        var error = Assert.ThrowsExactly<InvalidDataException>(() => second.Read(second.Entries[0], narrow));
        Assert.Contains("infinite in Float16", error.Message);
    }

    [TestMethod]
    public void AHeaderLongerThanAnyModelsIsRefusedUnread()
    {
        var file = new byte[8 + (int)FileLimits.SafetensorsHeader + 1];
        BitConverter.GetBytes(FileLimits.SafetensorsHeader + 1).CopyTo(file, 0);
        var error = RefuseWithoutAllocating(() => new SafetensorsReader(new MemoryStream(file), "x").Dispose());
        Assert.Contains("8388609", error.Message);
        error = Assert.ThrowsExactly<InvalidDataException>(
            () => new SafetensorsReader(new ForwardOnlyStream(file), "x").Dispose());
        Assert.Contains("8388609", error.Message);
    }

    [TestMethod]
    public void AFileOfManyPiecesIsReadWhole()
    {
        using var folder = new TemporaryFolder();
        const int length = (10 << 20) + 5; // two pieces, and a part
        File.WriteAllBytes(folder["big"], SafetensorsBytes.Of(
            $$$"""
            {"a":{"dtype":"U8","shape":[{{{length - 3}}}],"data_offsets":[0,{{{length - 3}}}]},
             "z":{"dtype":"U8","shape":[3],"data_offsets":[{{{length - 3}}},{{{length}}}]}}
            """,
            length));
        using var reader = SafetensorsReader.Open(folder["big"]);
        using var a = reader.Read(reader.Find("a")!);
        using var z = reader.Read(reader.Find("z")!);
        var bytes = a.bytes;
        for (var i = 0; i < bytes.Length; i++)
        {
            if (bytes[i] != (byte)i)
                Assert.Fail($"Byte {i} is {bytes[i]}.");
        }
        Assert.AreEqual(unchecked((byte)(length - 1)), z.bytes[2]);
    }

    [TestMethod]
    public void ALinkToAFileIsReadAsTheFile()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["blob"], SafetensorsBytes.Of(TwoTensors, 16));
        File.CreateSymbolicLink(folder["link"], folder["blob"]);
        using var reader = SafetensorsReader.Open(folder["link"]);
        Assert.HasCount(2, reader.Entries);
    }

    private static SafetensorsReader Open(byte[] file)
    {
        using var folder = new TemporaryFolder();
        File.WriteAllBytes(folder["x.safetensors"], file);
        return new SafetensorsReader(OrdinaryFile.OpenRead(folder["x.safetensors"]), "x.safetensors");
    }

    private static InvalidDataException RefuseWithoutAllocating(Action action)
    {
        var before = GC.GetAllocatedBytesForCurrentThread();
        var error = Assert.ThrowsExactly<InvalidDataException>(action);
        Assert.IsLessThan(Megabyte, GC.GetAllocatedBytesForCurrentThread() - before);
        return error;
    }
}
