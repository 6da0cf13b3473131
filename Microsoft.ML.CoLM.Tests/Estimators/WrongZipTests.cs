using System.Buffers.Binary;
using System.IO.Compression;
using System.Text;
using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Tests.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Zips that are wrong, without digests that would tell: what their parts say must fit together.</summary>
[TestClass, DoNotParallelize]
public sealed class WrongZipTests
{
    // Where ML.NET's header has what these tests change, counted from the component's own signature.
    private const int VersionWritten = 8;
    private const int VersionReadable = 12;

    // Behind the header stand whether there are adapters, the number of the tokenizer's files and references to their
    // two names; then the component's settings: references to the names of two text columns, the batch size, the task,
    // the chain count, references to four names, how many counts a cascade has.
    private const int HasAdapters = 256;
    private const int TokenizerFileCount = HasAdapters + sizeof(bool);
    private const int BatchSize = TokenizerFileCount + 5 * sizeof(int);
    private const int Task = BatchSize + sizeof(int);
    private const int ChainCount = Task + sizeof(int);
    private const int CascadeLength = ChainCount + 5 * sizeof(int);

    // Where texts are divided in another way than by default, the windows follow the task.
    private const int Window = Task + sizeof(int);
    private const int Stride = Window + sizeof(int);

    private static readonly Dictionary<string, (string, Func<byte[], byte[]?>, string[])> Changes = new()
    {
        ["no config.json"] = ("config.json", _ => null, ["config.json"]),
        ["an empty config.json"] = ("config.json", _ => [], ["config.json"]),
        ["a broken config.json"] = ("config.json", Half, ["config.json"]),
        ["a config.json of another architecture"] = ("config.json",
            Replace("\"llama\"", "\"gpt2\""), ["config.json", "model_type", "gpt2"]),
        ["a config.json of more layers"] = ("config.json",
            Replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 3"), ["chain-1.safetensors", "layers.2"]),
        ["a config.json of two million layers"] = ("config.json",
            Replace("\"num_hidden_layers\": 2", "\"num_hidden_layers\": 2000000"), ["chain-1.safetensors", "layers.2"]),
        ["a config.json of widths beyond memory"] = ("config.json",
            text => Edit(text, json => json["vocab_size"] = 2_000_000_000), ["chain-1.safetensors", "embed_tokens"]),
        ["a config.json of heads beyond memory"] = ("config.json",
            text => Edit(text, json => json["head_dim"] = 1 << 30), ["config.json", "HeadDimension"]),
        ["a config.json of more chains"] = ("config.json",
            text => Edit(text, json => json["colm"]!["chains"]!.AsArray().Add(4)), ["chain-3.safetensors"]),
        ["a config.json of a later version"] = ("config.json",
            text => Edit(text, json => json["colm"]!["version"] = 3), ["config.json", "version"]),
        ["no first chain"] = ("chain-1.safetensors", _ => null, ["chain-1.safetensors"]),
        ["no second chain"] = ("chain-2.safetensors", _ => null, ["chain-2.safetensors"]),
        ["an empty chain"] = ("chain-2.safetensors", _ => [], ["chain-2.safetensors"]),
        ["a truncated chain"] = ("chain-1.safetensors", Half, ["chain-1.safetensors"]),
        ["a chain that lacks its last byte"] = ("chain-2.safetensors", bytes => bytes[..^1], ["chain-2.safetensors"]),
        ["a chain that goes on"] = ("chain-2.safetensors", bytes => [.. bytes, 0], ["chain-2.safetensors"]),
        ["a chain of another tensor"] = ("chain-2.safetensors",
            Replace("model.norm.weight", "model.morn.weight"), ["chain-2.safetensors", "model.norm.weight"]),
        ["a chain with a boundless header"] = ("chain-1.safetensors",
            bytes => [.. Enumerable.Repeat((byte)0xff, 7), 0x7f, .. bytes[8..]], ["chain-1.safetensors"]),
        ["no tokenizer.json"] = ("tokenizer.json", _ => null, ["tokenizer.json"]),
        ["a broken tokenizer.json"] = ("tokenizer.json", Half, ["tokenizer.json"]),
        ["a tokenizer of another kind"] = ("tokenizer.json",
            Replace("\"BPE\"", "\"Unigram\""), ["tokenizer.json", "Unigram"]),
        ["no tokenizer_config.json"] = ("tokenizer_config.json", _ => null, ["tokenizer_config.json"]),
        ["no chains to score with"] = ("Model.key", SetNumber(ChainCount, 0), ["chainCount"]),
        ["more chains to score with than there are"] = ("Model.key", SetNumber(ChainCount, 3), ["chainCount"]),
        ["choices without a column of them"] = ("Model.key", SetNumber(Task, (int)TaskKind.MultipleChoice), ["'Text'", "choices"]),
        ["a later version"] = ("Model.key", Version(0x00010004), ["CoLMElasticScoring", "too new"]),
        ["a much later version"] = ("Model.key", Version(0x00020000), ["CoLMElasticScoring", "too new"]),
        ["another component's settings"] = ("Model.key", Replace("COLMELST", "COPYCOLT"), ["Unknown file type"]),
        ["settings that no component reads"] = ("Model.key",
            Replace("CoLMElasticScoring", "NobodysComponent00"), ["TransformerChain"]),
        ["settings that break off"] = ("Model.key", Half, []),
        ["settings that break off in the header"] = ("Model.key", bytes => bytes[..100], []),
        ["no settings"] = ("Model.key", _ => null, []),
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
        var zip = Save(folder);
        ZipEntries.Change(zip, folder["changed.zip"], entry, change);
        var message = MessageOf(folder["changed.zip"]);
        foreach (var part in named)
            Assert.Contains(part, message);
    }

    [TestMethod]
    public void AWholeZipThatWasWrittenAnewLoads()
    {
        using var folder = new TemporaryFolder();
        ZipEntries.Change(Save(folder), folder["same.zip"], "Model.key", bytes => bytes);
        using var loaded = (ElasticScoringTransformer)new MLContext().Model.Load(folder["same.zip"], out _);
        Assert.AreEqual(2, loaded.ChainCount);
    }

    [TestMethod]
    [Timeout(120_000, CooperativeCancellation = true)]
    public void ATruncatedZipIsRefused()
    {
        using var folder = new TemporaryFolder();
        var bytes = File.ReadAllBytes(Save(folder));
        for (var part = 0; part < 16; part++)
        {
            File.WriteAllBytes(folder["truncated.zip"], bytes[..(bytes.Length * part / 16)]);
            MessageOf(folder["truncated.zip"]);
        }
        for (var missing = 1; missing < 30; missing++)
        {
            File.WriteAllBytes(folder["truncated.zip"], bytes[..^missing]);
            MessageOf(folder["truncated.zip"]);
        }
    }

    [TestMethod]
    [Timeout(120_000, CooperativeCancellation = true)]
    public void ADamagedZipIsRefusedOrLoadsButNeverCrashes()
    {
        using var folder = new TemporaryFolder();
        var bytes = File.ReadAllBytes(Save(folder));
        var random = new Random(1);
        for (var round = 0; round < 200; round++)
        {
            var damaged = (byte[])bytes.Clone();
            damaged[random.Next(bytes.Length)] ^= (byte)(1 << random.Next(8));
            File.WriteAllBytes(folder["damaged.zip"], damaged);
            try
            {
                // .NET's reader of zips takes no notice of checksums, so a changed weight may go unseen.
                (new MLContext().Model.Load(folder["damaged.zip"], out _) as IDisposable)?.Dispose();
            }
            catch (Exception e)
            {
                AssertIsExplained(e);
            }
        }
    }

    [TestMethod]
    public void AFileThatIsNoZipIsRefused()
    {
        using var folder = new TemporaryFolder();
        File.WriteAllText(folder["text.zip"], "this is no model");
        MessageOf(folder["text.zip"]);
        using (var zip = ZipFile.Open(folder["other.zip"], ZipArchiveMode.Create))
            zip.CreateEntry("readme.txt");
        MessageOf(folder["other.zip"]);
        Assert.ThrowsExactly<FileNotFoundException>(
            () => new MLContext().Model.Load(folder["missing.zip"], out _));
    }

    [TestMethod]
    public void AZipOfAnotherComponentIsThatComponent()
    {
        using var folder = new TemporaryFolder();
        var rows = _mlContext.Rows("text");
        var other = _mlContext.Transforms.CopyColumns("Copied", "Text").Fit(rows);
        _mlContext.Model.Save(other, rows.Schema, folder["other.zip"]);
        var error = Assert.ThrowsExactly<InvalidCastException>(
            () => (ElasticScoringTransformer)new MLContext().Model.Load(folder["other.zip"], out _));
        Assert.Contains("ColumnCopyingTransformer", error.Message);
    }

    [TestMethod]
    public void SettingsThatNoTransformerHasAreRefused()
    {
        using var folder = new TemporaryFolder();
        var zip = Save(folder);
        var settings = ZipEntries.Read(zip)[ZipEntries.Component + "Model.key"];
        Assert.AreEqual(64, BinaryPrimitives.ReadInt32LittleEndian(settings.AsSpan(BatchSize)));
        Assert.AreEqual(2, BinaryPrimitives.ReadInt32LittleEndian(settings.AsSpan(ChainCount)));
        Assert.AreEqual(2, BinaryPrimitives.ReadInt32LittleEndian(settings.AsSpan(TokenizerFileCount)));
        foreach (var (position, wrong, named) in ((int, int, string)[])[
            (BatchSize, 0, "batch size"), (BatchSize, -1, "batch size"), (BatchSize, int.MinValue, "batch size"),
            (BatchSize, 65_537, "batch size"), (BatchSize, int.MaxValue, "batch size"),
            (Task, 99, "scoring task 99"), (Task, -1, "scoring task -1"), (CascadeLength, -1, "ChainCounts"),
            (CascadeLength, 1, ""), (CascadeLength, int.MaxValue, ""),
            (Task, 2, "labels.idv"), (Task, 3, ""), (Task, 4, ""), (Task, 5, ""), (TokenizerFileCount, -1, ""), (TokenizerFileCount, int.MaxValue, "")])
        {
            var path = folder[$"{position} {wrong}.zip"];
            ZipEntries.Change(zip, path, "Model.key", SetNumber(position, wrong));
            Assert.Contains(named, MessageOf(path));
        }
    }

    [TestMethod]
    public void WindowsThatNoTransformerHasAreRefused()
    {
        using var folder = new TemporaryFolder();
        var zip = Save(folder, new ElasticScoringEstimator.Options { Window = 32, Stride = 8 });
        foreach (var (position, wrong, named) in ((int, int, string)[])[
            (Window, 1, "Window must be at least 2"), (Window, 65, "Window must be at most the model's context of 64"),
            (Window, -1, "Window"), (Window, int.MaxValue, "Window"), (Window, 7, "Stride must be at most the window of 7"),
            (Stride, 33, "Stride"), (Stride, -8, "Stride must be at least 1")])
        {
            var path = folder[$"{position} {wrong}.zip"];
            ZipEntries.Change(zip, path, "Model.key", SetNumber(position, wrong));
            Assert.Contains(named, MessageOf(path));
        }
    }

    private string Save(TemporaryFolder folder, ElasticScoringEstimator.Options? options = null)
    {
        using var model = TextModels.Random(4, 4);
        options ??= new ElasticScoringEstimator.Options();
        options.Model = model;
        using var transformer = _mlContext.Transforms.ElasticScoring(options).Fit(_mlContext.Rows("text"));
        _mlContext.Model.Save(transformer, _mlContext.Rows("text").Schema, folder["model.zip"]);
        OldZips.Write(folder["model.zip"], folder["old.zip"]);
        return folder["old.zip"];
    }

    /// <summary>What the refusal of a zip says, with what it says the reason is.</summary>
    private static string MessageOf(string path)
    {
        var mlContext = new MLContext();
        try
        {
            (mlContext.Model.Load(path, out _) as IDisposable)?.Dispose();
        }
        catch (Exception e)
        {
            return AssertIsExplained(e);
        }
        Assert.Fail($"{Path.GetFileName(path)} was loaded.");
        return "";
    }

    private static string AssertIsExplained(Exception? exception)
    {
        var message = new StringBuilder();
        for (; exception is not null; exception = exception.InnerException)
        {
            Assert.IsFalse(exception is NullReferenceException or IndexOutOfRangeException or InvalidCastException
                or OutOfMemoryException or KeyNotFoundException or DivideByZeroException, exception.ToString());
            message.AppendLine(exception.Message);
        }
        return message.ToString();
    }

    private static byte[] Half(byte[] bytes) => bytes[..(bytes.Length / 2)];

    private static Func<byte[], byte[]?> Replace(string from, string to) => bytes =>
    {
        var text = Encoding.Latin1.GetString(bytes);
        Assert.Contains(from, text);
        return Encoding.Latin1.GetBytes(text.Replace(from, to, StringComparison.Ordinal));
    };

    private static byte[] Edit(byte[] bytes, Action<JsonNode> edit)
    {
        var json = JsonNode.Parse(bytes)!;
        edit(json);
        return Encoding.UTF8.GetBytes(json.ToJsonString());
    }

    private static Func<byte[], byte[]?> SetNumber(int position, int value) => bytes =>
    {
        BinaryPrimitives.WriteInt32LittleEndian(bytes.AsSpan(position), value);
        return bytes;
    };

    private static Func<byte[], byte[]?> Version(uint version) => bytes =>
    {
        var signature = bytes.AsSpan().IndexOf("COLMELST"u8);
        Assert.IsGreaterThan(0, signature);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(signature + VersionWritten), version);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(signature + VersionReadable), version);
        return bytes;
    };
}
