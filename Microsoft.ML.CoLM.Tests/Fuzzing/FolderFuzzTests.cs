using System.Buffers.Binary;
using System.Text;
using System.Text.Json;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Fuzzing;

/// <summary>Model folders of which one file is not what it was.</summary>
[TestClass, DoNotParallelize]
public sealed class FolderFuzzTests
{
    private const string Config = "config.json";
    private const string FirstChain = "model.safetensors";
    private const string SecondChain = "chain-2.safetensors";
    private const string Index = "model.safetensors.index.json";
    private const string Shard = "model-00001-of-00001.safetensors";
    private const string Foreign = "notes.txt";

    // What CoLMModel.Load says that it throws; a configuration of more chains asks for files that are not there.
    private static readonly Type[] Documented = [typeof(InvalidDataException), typeof(FileNotFoundException)];

    [TestMethod]
    [DataRow(1400)]
    public void Configurations(int count)
    {
        using var folder = Saved();
        var json = File.ReadAllBytes(folder[Config]);
        Fuzzer.Run(nameof(Configurations), count, random =>
        {
            File.WriteAllBytes(folder[Config], Mutation.OfJson(json, random));
            return LoadAndScore(folder.Path);
        }, Documented);
    }

    [TestMethod]
    [DataRow(1600)]
    public void Weights(int count)
    {
        using var folder = Saved();
        var chains = new[] { FirstChain, SecondChain }.Select(name => (name, bytes: File.ReadAllBytes(folder[name]))).ToArray();
        Fuzzer.Run(nameof(Weights), count, random =>
        {
            var (name, bytes) = chains[random.Next(chains.Length)];
            File.WriteAllBytes(folder[name], random.Next(2) == 0 ? Mutation.OfBytes(bytes, random) : OfHeader(bytes, random));
            try
            {
                return LoadAndScore(folder.Path);
            }
            finally
            {
                File.WriteAllBytes(folder[name], bytes);
            }
        }, Documented);
    }

    [TestMethod]
    [DataRow(900)]
    public void ShardIndices(int count)
    {
        using var folder = Saved();
        using (var reader = SafetensorsReader.Open(folder[FirstChain]))
        {
            File.WriteAllBytes(folder[Index], JsonSerializer.SerializeToUtf8Bytes(new
            {
                metadata = new { total_size = 12345 },
                weight_map = reader.Entries.ToDictionary(entry => entry.Name, _ => Shard),
            }));
        }
        File.Move(folder[FirstChain], folder[Shard]);
        var json = File.ReadAllBytes(folder[Index]);
        Fuzzer.Run(nameof(ShardIndices), count, random =>
        {
            File.WriteAllBytes(folder[Index], Mutation.OfJson(json, random));
            return LoadAndScore(folder.Path);
        }, Documented);
    }

    [TestMethod]
    [DataRow(700)]
    public void SavePlans(int count)
    {
        using var source = Saved();
        var files = TemporaryFolder.Contents(source.Path);
        using var around = new TemporaryFolder();
        File.WriteAllText(around["outside"], Foreign);
        var folder = around["model"];
        var plan = JsonSerializer.SerializeToUtf8Bytes(
            new SavePlan(UnfinishedFile.Suffix, [SecondChain, Config], [Index]));
        Fuzzer.Run(nameof(SavePlans), count, random =>
        {
            Directory.CreateDirectory(folder);
            foreach (var (name, bytes) in files)
                File.WriteAllBytes(Path.Combine(folder, name), bytes);
            File.WriteAllText(Path.Combine(folder, Foreign), Foreign);
            File.WriteAllBytes(Path.Combine(folder, Config + UnfinishedFile.Suffix), files[Config]);
            File.WriteAllBytes(Path.Combine(folder, FolderSave.PlanName), Mutation.OfJson(plan, random));
            try
            {
                return LoadAndScore(folder);
            }
            finally
            {
                Assert.AreEqual(Foreign, File.ReadAllText(Path.Combine(folder, Foreign)));
                Assert.AreEqual(Foreign, File.ReadAllText(around["outside"]));
                Assert.HasCount(2, Directory.GetFileSystemEntries(around.Path));
                Directory.Delete(folder, recursive: true);
            }
        }, [.. Documented, typeof(IOException)]);
    }

    private static TemporaryFolder Saved()
    {
        var folder = new TemporaryFolder();
        using var model = TestModels.Random(TestModels.Config(4, 4) with { LayerCount = 1 });
        model.Save(folder.Path);
        return folder;
    }

    /// <summary>The header of a safetensors file changed, with the length that it has then.</summary>
    private static byte[] OfHeader(byte[] bytes, Random random)
    {
        var length = (int)BinaryPrimitives.ReadUInt64LittleEndian(bytes);
        var header = Mutation.OfJson(bytes[sizeof(ulong)..(sizeof(ulong) + length)], random);
        return [.. BitConverter.GetBytes((long)header.Length), .. header, .. bytes[(sizeof(ulong) + length)..]];
    }

    private static bool LoadAndScore(string folder)
    {
        using var model = CoLMModel.Load(folder);
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var logits = model.forward(tensor(new long[] { 1, 2, 3 }).unsqueeze(0), 1);
        CollectionAssert.AreEqual(new long[] { 1, 3, model.Config.VocabularySize }, logits.shape);
        return true;
    }
}
