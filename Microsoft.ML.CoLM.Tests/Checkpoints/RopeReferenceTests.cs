using System.Globalization;
using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Tests.Estimators;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

[TestClass, DoNotParallelize]
public sealed class RopeReferenceTests
{
    private const double Tolerance = 2e-4;
    private static readonly int[] Tokens = [0, 1, 2, 77, 300, 426, 511];
    private static readonly int[] Ids = [1, .. Enumerable.Range(0, 95).Select(i => (i * 37 + 11) % 500 + 3)];

    private static readonly JsonArray All = JsonNode.Parse(RopeReferences.Json)!.AsArray();

    public static IEnumerable<object[]> Names => All.Select(reference => new object[] { (string)reference!["name"]! });

    [TestMethod]
    [DynamicData(nameof(Names))]
    public void LogitsAreTransformers(string name)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var model = Load(name, out var reference);
        // Transformers goes on beyond the context, which this library does with one type alone.
        var ids = model.Config.RopeScaling is DynamicRopeScaling ? Ids : Ids.Take(model.Config.ContextLength);
        var logits = model.forward(tensor(ids.Select(id => (long)id).ToArray()).unsqueeze(0), 1)[0];
        foreach (var (position, expected) in reference["logits"]!.AsObject())
        {
            var at = int.Parse(position, CultureInfo.InvariantCulture);
            if (at >= logits.size(0))
                continue;
            var row = logits[at].data<float>().ToArray();
            for (var i = 0; i < Tokens.Length; i++)
                Assert.AreEqual((double)expected![i]!, row[Tokens[i]], Tolerance, $"position {position}, token {Tokens[i]}");
        }
    }

    [TestMethod]
    [DynamicData(nameof(Names))]
    public void GreedyGenerationIsTransformers(string name)
    {
        using var model = Load(name, out var reference);
        int[] expected = [.. Numbers(reference["greedy"]!).Take(model.Config.ContextLength - 4)];
        int[] expectedLong = [.. Numbers(reference["greedyLong"]!).Take(model.Config.ContextLength - 50)];
        foreach (var ofModules in new[] { false, true })
        {
            CollectionAssert.AreEqual(expected,
                CheckpointCasesTests.Continued(model, [1, 403, 407, 261], expected.Length, ofModules), $"modules: {ofModules}");
            CollectionAssert.AreEqual(expectedLong,
                CheckpointCasesTests.Continued(model, Ids[..50], expectedLong.Length, ofModules), $"modules: {ofModules}");
        }
    }

    private static int[] Numbers(JsonNode numbers) => [.. numbers.AsArray().Select(number => (int)number!)];

    private static CoLMModel Load(string name, out JsonNode reference)
    {
        var source = SharedData.Folder("data", "stories260K");
        using var folder = new TemporaryFolder();
        reference = All.First(item => (string)item!["name"]! == name)!;
        var config = JsonNode.Parse(File.ReadAllText(Path.Combine(source, "config.json")))!.AsObject();
        foreach (var (setting, value) in reference["config"]!.AsObject())
        {
            if (value is JsonValue text && text.TryGetValue<string>(out var mark) && mark == "-")
                config.Remove(setting);
            else
                config[setting] = value?.DeepClone();
        }
        // No text ends these: the references were generated so.
        config["eos_token_id"] = null;
        File.WriteAllText(folder["config.json"], config.ToJsonString());
        File.Copy(Path.Combine(source, "model.safetensors"), folder["model.safetensors"]);
        return CoLMModel.Load(folder.Path, dtype: float32);
    }
}
