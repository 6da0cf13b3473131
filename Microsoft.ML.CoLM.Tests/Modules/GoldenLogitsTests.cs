using System.Globalization;
using Microsoft.ML.CoLM.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>The model beside logits that other implementations computed.</summary>
[TestClass, DoNotParallelize]
public sealed class GoldenLogitsTests
{
    private const double Tolerance = 1e-4;
    private const string LogitsPrefix = "logits.";

    private static readonly string[] Folders =
    [
        "air-expanded-3", "air-gqa-wide-head-4", "expanded-2", "hf-head-dim", "hf-llama3-rope", "hf-sharded-bf16",
        "scratch-bf16-2", "scratch-mha-3",
    ];

    public static IEnumerable<object[]> FolderNames => Folders.Select(name => new object[] { name });

    [TestMethod]
    public void EveryReferenceModelIsCompared()
    {
        var found = Directory.GetDirectories(SharedData.Folder("golden"))
            .Where(folder => File.Exists(Path.Combine(folder, "config.json")))
            .Select(folder => Path.GetFileName(folder)).Order(StringComparer.Ordinal).ToArray();
        Assert.HasCount(8, found);
        CollectionAssert.AreEquivalent(Folders, found);
    }

    [TestMethod]
    [DynamicData(nameof(FolderNames))]
    public void LogitsAtEveryChainCountAreTheReferences(string name)
    {
        using var model = Load(name);
        foreach (var (chainCount, difference) in Differences(name, model))
            TensorAssert.AtMost(Tolerance, difference, $"{chainCount} chains");
    }

    [TestMethod]
    [DynamicData(nameof(FolderNames))]
    public void AModelLoadedAtAChainCountComputesWhatTheWholeModelDoes(string name)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var model = Load(name);
        var ids = TestIds.Of(model.Config, 2, 20);
        for (var chainCount = 1; chainCount <= model.Config.Layout.ChainCount; chainCount++)
        {
            using var first = CoLMModel.Load(SharedData.Folder("golden", name), chainCount, dtype: float32);
            TensorAssert.SameBits(
                model.forward(ids, chainCount), first.forward(ids, chainCount), $"{chainCount} chains");
        }
    }

    [TestMethod]
    public void AtTemperatureZeroTheStoryModelWritesTheKnownText()
    {
        var folder = SharedData.Folder("data", "stories260K");
        var expected = File.ReadAllText(Path.Combine(folder, "greedy-200.txt"));
        using var noGradients = no_grad();
        using var model = CoLMModel.Load(folder);
        var tokenizer = CoLMTokenizer.Load(folder);

        List<int> ids = [model.Config.BosTokenId!.Value];
        while (ids.Count < 1 + 200)
        {
            using var scope = NewDisposeScope();
            var input = tensor(ids.Select(id => (long)id).ToArray()).unsqueeze(0);
            ids.Add((int)model.forward(input, 1)[0, -1].argmax().item<long>());
        }
        Assert.AreEqual(expected, tokenizer.Decode(ids));
    }

    private static CoLMModel Load(string name) => CoLMModel.Load(SharedData.Folder("golden", name), dtype: float32);

    /// <summary>The largest absolute difference from the reference's logits at every chain count.</summary>
    private static List<(int ChainCount, double Difference)> Differences(string name, CoLMModel model)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var reader = SafetensorsReader.Open(SharedData.Folder("golden", name, "golden.safetensors"));
        var golden = reader.Entries.ToDictionary(entry => entry.Name, reader.Read);
        CollectionAssert.AreEquivalent(
            Enumerable.Range(1, model.Config.Layout.ChainCount).Select(count => $"{LogitsPrefix}{count}")
                .Append("input_ids").ToArray(),
            golden.Keys);

        List<(int, double)> differences = [];
        foreach (var (entry, expected) in golden.Where(entry => entry.Key != "input_ids"))
        {
            var chainCount = int.Parse(entry[LogitsPrefix.Length..], CultureInfo.InvariantCulture);
            var logits = model.forward(golden["input_ids"], chainCount);
            CollectionAssert.AreEqual(expected.shape, logits.shape);
            differences.Add((chainCount, TensorAssert.MaxDifference(expected, logits)));
        }
        return differences;
    }
}
