using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Tokenizers;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Checkpoints;

/// <summary>Configurations and weight files as real folders have them, beside what transformers computes of each.</summary>
[TestClass, DoNotParallelize]
public sealed class CheckpointCasesTests
{
    private const double Tolerance = 2e-4;

    [TestMethod]
    public void EveryModelsLogitsAreTransformersOrItIsRefused()
    {
        var cases = Cases("model-*");
        List<string> failures = [];
        foreach (var folder in cases)
        {
            try
            {
                var difference = Difference(folder);
                if (!(difference <= Tolerance))
                    failures.Add($"{Path.GetFileName(folder)}: logits differ by {difference}");
            }
            catch (Exception e) when (e is IOException or InvalidDataException)
            {
                if (File.Exists(Path.Combine(folder, "golden.safetensors")))
                    failures.Add($"{Path.GetFileName(folder)}: {e.Message}");
            }
        }
        Assert.IsEmpty(failures, string.Join('\n', failures));
        Assert.IsNotEmpty(cases);
    }

    [TestMethod]
    public void GenerationEndsWhereTransformersDoes()
    {
        var folders = Cases("generation-*");
        List<string> failures = [];
        foreach (var folder in folders.Where(folder => File.Exists(Path.Combine(folder, "golden-generation.json"))))
        {
            using var whole = Whole(folder);
            try
            {
                using var model = CoLMModel.Load(whole.Path, dtype: float32);
                foreach (var item in JsonNode.Parse(File.ReadAllText(Path.Combine(folder, "golden-generation.json")))!.AsArray())
                {
                    int[] prompt = [.. item!["prompt_ids"]!.AsArray().Select(id => (int)id!)];
                    int[] expected = [.. item["new_ids"]!.AsArray().Select(id => (int)id!)];
                    var found = Continued(model, prompt, 200);
                    if (!found.SequenceEqual(expected))
                        failures.Add($"{Path.GetFileName(folder)}: {expected.Length} {found.Length} {string.Join(' ', found)}");
                }
            }
            catch (Exception e) when (e is IOException or InvalidDataException)
            {
                failures.Add($"{Path.GetFileName(folder)}: {e.Message}");
            }
        }
        Assert.IsEmpty(failures, string.Join('\n', failures));
        Assert.IsNotEmpty(folders);
    }

    // Greedy, transformers' tokens after the beginning-of-text token and "Once".
    [TestMethod]
    public void GenerationEndsAtEveryTokenOfTheListInGenerationConfig()
    {
        using var whole = Whole(SharedData.Folder("golden-cases", "generation-eos-list"));
        using var model = CoLMModel.Load(whole.Path);
        CollectionAssert.AreEqual(new[] { 2 }, model.Config.EosTokenIds.ToArray());
        CollectionAssert.AreEqual(new[] { 2, 426 }, model.EndTokenIds.ToArray());
        CollectionAssert.AreEqual(
            new[] { 407, 261, 378, 432, 383, 286, 261, 376, 298, 315, 421, 395, 317, 426 }, Continued(model, [1, 403], 200));

        var copy = whole["copy"];
        model.Save(copy);
        using var again = CoLMModel.Load(copy);
        CollectionAssert.AreEqual(new[] { 2, 426 }, again.EndTokenIds.ToArray());
        using var grown = again.Expand([4], kvSharing: true, seed: 1);
        CollectionAssert.AreEqual(new[] { 2, 426 }, grown.EndTokenIds.ToArray());
    }

    internal static int[] Continued(CoLMModel model, int[] prompt, int count, bool ofModules = false)
    {
        using var session = ofModules
            ? DecodingSession.Create(
                model, new KvCache(model, prompt.Length + count, sequenceCount: 1, isBlocked: false), ownsCache: true, mayGrow: false)
            : DecodingSession.Create(model, 1, prompt.Length + count);
        var generator = new TextGenerator(model, ByteTokenizer.CreateFiles().CreateTokenizer());
        var options = new GenerationOptions { MaxNewTokens = count };
        return [.. generator.Resume(session, prompt, options, prompt.Length + count).TokenIds];
    }

    /// <summary>A copy of a case's files over those of the model that it was made of.</summary>
    internal static TemporaryFolder Whole(string folder)
    {
        var whole = new TemporaryFolder();
        var given = SharedData.Folder("data", "stories260K");
        string[] weights = Directory.GetFiles(folder, "model*.safetensors*").Length > 0 ? [] : ["model.safetensors"];
        foreach (var name in weights.Append("tokenizer.model"))
            File.Copy(Path.Combine(given, name), whole[name]);
        foreach (var file in Directory.GetFiles(folder).Where(file => !Path.GetFileName(file).StartsWith("golden", StringComparison.Ordinal)))
            File.Copy(file, whole[Path.GetFileName(file)], overwrite: true);
        return whole;
    }

    private static double Difference(string folder)
    {
        using var whole = Whole(folder);
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var model = CoLMModel.Load(whole.Path, dtype: float32);
        if (!File.Exists(Path.Combine(folder, "golden.safetensors")))
            return double.NaN;
        using var reader = SafetensorsReader.Open(Path.Combine(folder, "golden.safetensors"));
        var golden = reader.Entries.ToDictionary(entry => entry.Name, reader.Read);
        return TensorAssert.MaxDifference(golden["logits.1"], model.forward(golden["input_ids"], 1));
    }

    private static string[] Cases(string pattern) =>
        [.. Directory.GetDirectories(SharedData.Folder("golden-cases"), pattern).Order(StringComparer.Ordinal)];
}
