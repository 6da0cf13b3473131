using System.Buffers.Binary;
using System.Security.Cryptography;
using System.Text;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Zips of tuned models that are wrong where they are more than a model, without digests that would tell.</summary>
[TestClass, DoNotParallelize]
public sealed class WrongTunedZipTests
{
    private static readonly Dictionary<string, (string, Func<byte[], byte[]?>, string[])> Changes = new()
    {
        ["no head"] = ("head.safetensors", _ => null, ["head.safetensors"]),
        ["an empty head"] = ("head.safetensors", _ => [], ["head.safetensors"]),
        ["half a head"] = ("head.safetensors", Half, ["head.safetensors"]),
        ["a head that lacks its last byte"] = ("head.safetensors", bytes => bytes[..^1], ["head.safetensors"]),
        ["a head that goes on"] = ("head.safetensors", bytes => [.. bytes, 0], ["head.safetensors"]),
        ["a head with a boundless header"] = ("head.safetensors",
            bytes => [.. Enumerable.Repeat((byte)0xff, 7), 0x7f, .. bytes[8..]], ["head.safetensors"]),
        ["a head of other tensors"] = ("head.safetensors", Replace("chain_2", "chain_7"), ["head.safetensors", "chain_2"]),
        ["a head of another shape"] = ("head.safetensors", Replace("[3,16]", "[16,3]"), ["head.safetensors", "[3, 16]"]),
        ["a head of another type"] = ("head.safetensors", Replace("\"F32\"", "\"I32\""), ["head.safetensors", "I32"]),
        ["no labels"] = ("labels.idv", _ => null, ["labels.idv"]),
        ["no bytes of labels"] = ("labels.idv", _ => [], ["labels.idv"]),
        ["labels of another format"] = ("labels.idv", bytes => [.. Encoding.UTF8.GetBytes("NOTHING!"), .. bytes[8..]], ["labels.idv"]),
        ["no adapters"] = ("adapters.safetensors", _ => null, ["adapters.safetensors"]),
        ["an empty file of adapters"] = ("adapters.safetensors", _ => [], ["adapters.safetensors"]),
        ["half the adapters"] = ("adapters.safetensors", Half, ["adapters.safetensors"]),
        ["adapters that lack their last byte"] = (
            "adapters.safetensors", bytes => bytes[..^1], ["adapters.safetensors"]),
        ["adapters of another projection"] = (
            "adapters.safetensors", Replace("layers_1_Down", "layers_1_Dawn"), ["adapters.safetensors", "layers_1_Down"]),
        ["adapters of another rank"] = (
            "adapters.safetensors", Replace("[2,32]", "[32,2]"), ["adapters.safetensors", "[2, 32]"]),
    };

    private readonly MLContext _mlContext = new(seed: 1);

    public static IEnumerable<object[]> ChangeNames => Changes.Keys.Select(name => new object[] { name });

    [TestMethod]
    [DynamicData(nameof(ChangeNames))]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void AZipThatIsWrongIsRefusedByWhatIsWrong(string name)
    {
        var (entry, change, named) = Changes[name];
        using var folder = new TemporaryFolder();
        ZipEntries.Change(Save(folder), folder["changed.zip"], entry, change);
        var message = MessageOf(folder["changed.zip"]);
        foreach (var part in named)
            Assert.Contains(part, message);
    }

    [TestMethod]
    [DataRow("labels.idv")]
    [DataRow("head.safetensors")]
    [DataRow("adapters.safetensors")]
    [Timeout(120_000, CooperativeCancellation = true)]
    public void AnEntryThatBreaksOffIsRefused(string entry)
    {
        using var folder = new TemporaryFolder();
        var zip = Save(folder);
        var length = ZipEntries.Read(zip)[ZipEntries.Component + entry].Length;
        for (var part = 0; part < 12; part++)
        {
            var path = folder[$"{part}.zip"];
            ZipEntries.Change(zip, path, entry, bytes => bytes[..(length * part / 12)]);
            Assert.Contains(entry, MessageOf(path), $"{length * part / 12} of {length} bytes");
        }
    }

    [TestMethod]
    [DataRow("labels.idv")]
    [DataRow("head.safetensors")]
    [DataRow("adapters.safetensors")]
    [DataRow("Model.key")]
    [Timeout(120_000, CooperativeCancellation = true)]
    public void ADamagedEntryIsRefusedOrLoadsButNeverCrashes(string entry)
    {
        using var folder = new TemporaryFolder();
        var zip = Save(folder);
        var random = new Random(1);
        var path = folder["damaged.zip"];
        for (var round = 0; round < 25; round++)
        {
            File.Delete(path);
            ZipEntries.Change(zip, path, entry, bytes =>
            {
                bytes[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
                return bytes;
            });
            var before = GC.GetAllocatedBytesForCurrentThread();
            _ = Load(path);
            Assert.IsLessThan(64 << 20, GC.GetAllocatedBytesForCurrentThread() - before);
        }
    }

    [TestMethod]
    public void ClassesThatTheHeadHasNotTakeNoMemory()
    {
        using var folder = new TemporaryFolder();
        var zip = Save(folder);
        var labels = ZipEntries.Read(zip)[ZipEntries.Component + "labels.idv"];
        using var stream = new MemoryStream();
        _mlContext.Data.SaveAsBinary(_mlContext.Data.LoadFromEnumerable<OneOfMany>([]), stream);
        ZipEntries.Change(zip, folder["labels.zip"], "labels.idv", _ => stream.ToArray());
        ZipEntries.Change(folder["labels.zip"], folder["many.zip"], "Model.key", bytes =>
        {
            var at = bytes.AsSpan().IndexOf(SHA256.HashData(labels));
            Assert.IsGreaterThan(0, at);
            SHA256.HashData(stream.ToArray()).CopyTo(bytes.AsSpan(at));
            return bytes;
        });
        var before = GC.GetAllocatedBytesForCurrentThread();
        var message = MessageOf(folder["many.zip"]);
        Assert.IsLessThan(64 << 20, GC.GetAllocatedBytesForCurrentThread() - before);
        Assert.Contains("head.safetensors", message);
        Assert.Contains("[4000000, 16]", message);
    }

    [TestMethod]
    public void SettingsOfAdaptersThatNoModelHasAreRefused()
    {
        using var folder = new TemporaryFolder();
        var zip = Save(folder);
        var settings = ZipEntries.Read(zip)[ZipEntries.Component + "Model.key"];
        // Behind the header: whether there are adapters, their first chain, rank, alpha, dropout, projections.
        const int Header = 256;
        const int Rank = Header + 1 + sizeof(int);
        const int Projections = Rank + sizeof(int) + 2 * sizeof(double);
        Assert.AreEqual(2, BinaryPrimitives.ReadInt32LittleEndian(settings.AsSpan(Rank)));
        Assert.AreEqual(127, BinaryPrimitives.ReadInt32LittleEndian(settings.AsSpan(Projections)));
        foreach (var (position, wrong, named) in ((int, int, string)[])[
            (Rank, 0, "Rank"), (Rank, -5, "Rank"), (Rank, int.MaxValue, "Rank"), (Rank, 3, "adapters.safetensors"),
            (Rank - sizeof(int), -1, "adapters"), (Rank - sizeof(int), 2, "adapters"), (Rank - sizeof(int), int.MaxValue, "adapters"),
            (Projections, 0, "Projections"), (Projections, 128, "Projections"), (Projections, 1, "adapters.safetensors")])
        {
            var path = folder[$"{position} {wrong}.zip"];
            ZipEntries.Change(zip, path, "Model.key", bytes =>
            {
                BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(position), wrong);
                return bytes;
            });
            Assert.Contains(named, MessageOf(path));
        }
    }

    private string Save(TemporaryFolder folder)
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source, steps: 1);
        options.Lora = new LoraOptions { Rank = 2 };
        using var tuned = _mlContext.Tune(options);
        _mlContext.Model.Save(tuned, _mlContext.Keyed().Schema, folder["model.zip"]);
        OldZips.Write(folder["model.zip"], folder["old.zip"]);
        return folder["old.zip"];
    }

    private static string MessageOf(string path)
    {
        var message = Load(path);
        Assert.IsNotNull(message, $"{Path.GetFileName(path)} was loaded.");
        return message;
    }

    /// <summary>What the refusal of a zip says, with what it says the reason is; null where it is loaded.</summary>
    private static string? Load(string path)
    {
        try
        {
            (new MLContext().Model.Load(path, out _) as IDisposable)?.Dispose();
            return null;
        }
        catch (Exception e)
        {
            var message = new StringBuilder();
            for (var exception = e; exception is not null; exception = exception.InnerException)
            {
                Assert.IsFalse(exception is NullReferenceException or IndexOutOfRangeException or InvalidCastException
                    or OutOfMemoryException or KeyNotFoundException or DivideByZeroException or OverflowException,
                    exception.ToString());
                message.AppendLine(exception.Message);
            }
            return message.ToString();
        }
    }

    private static byte[] Half(byte[] bytes) => bytes[..(bytes.Length / 2)];

    private static Func<byte[], byte[]?> Replace(string from, string to) => bytes =>
    {
        var (find, put) = (Encoding.UTF8.GetBytes(from), Encoding.UTF8.GetBytes(to));
        var changed = (byte[])bytes.Clone();
        var at = changed.AsSpan().IndexOf(find);
        Assert.IsGreaterThanOrEqualTo(0, at, from);
        put.CopyTo(changed.AsSpan(at));
        return changed;
    };

    private sealed class OneOfMany
    {
        [KeyType(4_000_000)]
        public uint Label { get; set; }
    }
}
