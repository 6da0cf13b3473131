using System.IO.Compression;
using Microsoft.ML.CoLM.Tests.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Single bits of a zip that are not what was written: never another score.</summary>
[TestClass, DoNotParallelize]
public sealed class DamagedZipTests
{
    private const int Flips = 300;

    private static readonly string[] Texts = ["a", "The cat sat on the mat."];

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(true, DisplayName = "this library's reader")]
    [DataRow(false, DisplayName = "ML.NET's reader")]
    public void AFlippedBitAnywhereIsRefusedOrChangesNoScore(bool isOwnReader)
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 4);
        using var transformer = _mlContext.Scorer(model).WithCascade(new CascadeOptions { ChainCounts = [1, 2], MaximumLosses = [2] });
        _mlContext.Model.Save(transformer, null, folder["model.zip"]);
        var expected = transformer.Score(_mlContext, Texts);
        var bytes = File.ReadAllBytes(folder["model.zip"]);
        var random = new Random(1);
        var refused = 0;
        for (var flip = 0; flip < Flips; flip++)
        {
            var (damaged, place, bit) = ((byte[])bytes.Clone(), random.Next(bytes.Length), random.Next(8));
            damaged[place] ^= (byte)(1 << bit);
            File.WriteAllBytes(folder["damaged.zip"], damaged);
            try
            {
                using var loaded = (ElasticScoringTransformer)Load(folder["damaged.zip"], isOwnReader);
                CollectionAssert.AreEqual(expected, loaded.Score(_mlContext, Texts), $"bit {bit} of byte {place}");
            }
            catch (Exception e) when (e is not UnitTestAssertException)
            {
                if (isOwnReader)
                    Assert.IsTrue(e is InvalidDataException or FileNotFoundException, $"bit {bit} of byte {place}: {e}");
                refused++;
            }
        }
        Console.WriteLine($"{refused} of {Flips} refused");
        Assert.IsGreaterThan(Flips * 9 / 10, refused);
    }

    [TestMethod]
    public void AFlippedBitOfAnyEntryIsRefusedByTheEntrysName()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source, steps: 1);
        options.Lora = new LoraOptions { Rank = 2 };
        using var tuned = _mlContext.Tune(options);
        _mlContext.CoLM().Save(tuned, null, folder["model.zip"]);
        string[] names = [.. ZipEntries.Read(folder["model.zip"]).Keys
            .Where(name => name.StartsWith(ZipEntries.Component, StringComparison.Ordinal))
            .Select(name => name[ZipEntries.Component.Length..])];
        CollectionAssert.AreEqual(new[] { "Model.key", "adapters.safetensors", "chain-1.safetensors", "chain-2.safetensors",
            "config.json", "head.safetensors", "labels.idv", "tokenizer.json", "tokenizer_config.json" }, names);
        var random = new Random(2);
        foreach (var name in names)
        {
            for (var round = 0; round < 12; round++)
            {
                var (place, bit) = (0, random.Next(8));
                // The checksums of the archive itself are those of the changed entry.
                ZipEntries.Change(folder["model.zip"], folder["damaged.zip"], name, bytes =>
                {
                    // Of ML.NET's header, which it checks itself, only what is the component's.
                    place = name == "Model.key" ? random.Next(256, bytes.Length - 8) : random.Next(bytes.Length);
                    bytes[place] ^= (byte)(1 << bit);
                    return bytes;
                });
                foreach (var isOwnReader in new[] { true, false })
                {
                    var error = Assert.Throws<Exception>(
                        () => Load(folder["damaged.zip"], isOwnReader), $"{name}: bit {bit} of byte {place}");
                    if (isOwnReader && error is FileNotFoundException && name == "Model.key")
                        continue; // the name of the assembly that reads it
                    for (; !isOwnReader && error.InnerException is { } inner; error = inner) ;
                    Assert.IsTrue(error is InvalidDataException || (!isOwnReader && error is FormatException or FileNotFoundException),
                        $"{name}: bit {bit} of byte {place}: {error}");
                    if (error is InvalidDataException)
                        Assert.Contains(name, error.Message);
                }
                File.Delete(folder["damaged.zip"]);
            }
        }
    }

    [TestMethod]
    public void AnEntryInAnothersPlaceIsRefused()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 4, 4);
        using var other = TextModels.Random(TextModels.Config(4, 4, 4), seed: 2);
        foreach (var (name, saved) in new[] { ("model.zip", model), ("other.zip", other) })
        {
            using var transformer = _mlContext.Scorer(saved);
            _mlContext.CoLM().Save(transformer, null, folder[name]);
        }
        var (mine, others) = (ZipEntries.Read(folder["model.zip"]), ZipEntries.Read(folder["other.zip"]));
        // The second chain of another model, and the third in place of the second, fit in every shape.
        foreach (var bytes in new[] { others[ZipEntries.Component + "chain-2.safetensors"], mine[ZipEntries.Component + "chain-3.safetensors"] })
        {
            ZipEntries.Change(folder["model.zip"], folder["swapped.zip"], "chain-2.safetensors", _ => bytes);
            var error = Assert.ThrowsExactly<InvalidDataException>(() => Load(folder["swapped.zip"], isOwnReader: true));
            Assert.Contains("chain-2.safetensors", error.Message);
            File.Delete(folder["swapped.zip"]);
        }
    }

    [TestMethod]
    public void AZipOfAnEarlierVersionLoadsWithAWarningThatNothingVouchesForIt()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 4);
        using var transformer = _mlContext.Scorer(model);
        _mlContext.CoLM().Save(transformer, _mlContext.Rows("text").Schema, folder["model.zip"]);
        OldZips.Write(folder["model.zip"], folder["old.zip"]);
        foreach (var (name, isOld) in new[] { ("old.zip", true), ("model.zip", false) })
        {
            foreach (var load in (Func<MLContext, ITransformer>[])[
                context => context.Model.Load(folder[name], out _), context => context.CoLM().Load(folder[name], out _)])
            {
                var warnings = new List<string>();
                var mlContext = new MLContext();
                mlContext.Log += (_, e) => warnings.AddRange(e.Kind == Runtime.ChannelMessageKind.Warning ? [e.Message] : []);
                using var loaded = (ElasticScoringTransformer)load(mlContext);
                CollectionAssert.AreEqual(
                    transformer.Score(_mlContext, Texts), loaded.Score(_mlContext, Texts));
                Assert.AreEqual(isOld, warnings.Any(warning => warning.Contains("nothing vouches", StringComparison.Ordinal)));
            }
        }
    }

    [TestMethod]
    [DataRow("config.json")]
    [DataRow("tokenizer.json")]
    [DataRow("tokenizer_config.json")]
    [DataRow("chain-1.safetensors")]
    public void AnEntryThatGrowsWithoutEndIsRefusedBeforeItTakesMemory(string name)
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4);
        using (var transformer = _mlContext.Scorer(model))
            _mlContext.CoLM().Save(transformer, null, folder["model.zip"]);
        // Blanks, which JSON allows anywhere, and which deflate makes a thousandth of.
        OldZips.Write(folder["model.zip"], folder["old.zip"]);
        var blanks = new byte[66 << 20];
        blanks.AsSpan().Fill((byte)' ');
        ZipEntries.Change(folder["old.zip"], folder["bomb.zip"], name, bytes => [.. bytes, .. blanks], CompressionLevel.Optimal);
        foreach (var isOwnReader in new[] { true, false })
        {
            var before = GC.GetAllocatedBytesForCurrentThread();
            var error = Assert.Throws<Exception>(() => Load(folder["bomb.zip"], isOwnReader));
            Assert.Contains(name, error.ToString());
            Assert.IsLessThan(16L << 20, GC.GetAllocatedBytesForCurrentThread() - before);
        }
    }

    private static ITransformer Load(string path, bool isOwnReader) =>
        isOwnReader ? new MLContext().CoLM().Load(path, out _) : new MLContext().Model.Load(path, out _);
}
