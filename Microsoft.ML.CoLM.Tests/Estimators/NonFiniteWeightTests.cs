using Microsoft.ML.CoLM.Tests.Checkpoints;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Weights that are no numbers are refused wherever a model comes from, by the tensor's name.</summary>
[TestClass, DoNotParallelize]
public sealed class NonFiniteWeightTests
{
    private const string Name = "model.layers.1.mlp.up_proj.weight";

    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    [DataRow(ScalarType.Float32, float.NaN)]
    [DataRow(ScalarType.BFloat16, float.PositiveInfinity)]
    [DataRow(ScalarType.Float16, float.NegativeInfinity)]
    public void AFolderWithSuchAWeightIsRefusedWhateverIsDoneWithIt(ScalarType type, float value)
    {
        using var folder = new TemporaryFolder();
        using (var model = TextModels.Random(TextModels.Config(4, 4), dtype: type))
        {
            Spoil(model.named_parameters().First(entry => entry.name.Contains("layers.1.mlp.up", StringComparison.Ordinal))
                .parameter, value);
            model.Save(folder.Path);
        }
        Action[] ways =
        [
            () => CoLMModel.Load(folder.Path),
            () => CoLMModel.Load(folder.Path, chainCount: 1, dtype: ScalarType.Float32),
            () => _mlContext.Transforms.ElasticScoring(folder.Path).Fit(_mlContext.Rows("text")),
            () => _mlContext.Transforms.ChainExpansion(folder.Path, [4]).Fit(_mlContext.Rows("text")),
        ];
        foreach (var way in ways)
        {
            var error = Assert.ThrowsExactly<InvalidDataException>(way);
            Assert.Contains(folder["model.safetensors"], error.Message);
            Assert.Contains(Name, error.Message);
        }
    }

    [TestMethod]
    public void AZipWithSuchAWeightIsRefused()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 4);
        using var scorer = _mlContext.Scorer(model);
        Spoil(model.parameters().Last(), float.NaN);
        _mlContext.Model.Save(scorer, _mlContext.Rows("text").Schema, folder["model.zip"]);
        Refused(folder["model.zip"], "chain-2.safetensors", "lm_head.weight");
    }

    [TestMethod]
    public void AZipWithSuchAnAdapterIsRefused()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        var options = Tuning.Steps(source, steps: 1);
        options.Lora = new LoraOptions { Rank = 2 };
        using var tuned = _mlContext.Tune(options);
        Spoil(tuned.Model.Adapters!.parameters().First(), float.PositiveInfinity);
        _mlContext.Model.Save(tuned, _mlContext.Keyed().Schema, folder["model.zip"]);
        Refused(folder["model.zip"], "adapters.safetensors", tuned.Model.Adapters.named_parameters().First().name);
    }

    [TestMethod]
    [DataRow(ScalarType.Float32, float.NaN)]
    [DataRow(ScalarType.BFloat16, float.NegativeInfinity)]
    [DataRow(ScalarType.Float16, float.NaN)]
    public void AModelInMemoryWithSuchAWeightIsNotMadeAScorer(ScalarType type, float value)
    {
        using var model = TextModels.Random(TextModels.Config(4, 4), dtype: type);
        _mlContext.Scorer(model).Dispose();
        var (name, parameter) = model.named_parameters().Last();
        Spoil(parameter, value);
        Assert.Contains(name, Assert.ThrowsExactly<ArgumentException>(() => _mlContext.Scorer(model)).Message);
    }

    private static void Spoil(Tensor parameter, float value)
    {
        using var noGradients = no_grad();
        using var flat = parameter.view(-1);
        using var last = flat[-1];
        last.fill_(value);
    }

    // ML.NET wraps what a component's loader throws.
    private static void Refused(string zip, params string[] parts)
    {
        var error = Assert.Throws<Exception>(() => new MLContext().Model.Load(zip, out _));
        var messages = "";
        for (var inner = error; inner is not null; inner = inner.InnerException)
            messages += inner.Message;
        foreach (var part in (string[])[.. parts, "NaN or infinite"])
            Assert.Contains(part, messages);
    }
}
