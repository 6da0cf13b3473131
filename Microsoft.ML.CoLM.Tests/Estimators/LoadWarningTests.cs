using System.Text.Json.Nodes;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>What loading a model passed over is said once, in the log.</summary>
[TestClass, DoNotParallelize]
public sealed class LoadWarningTests : IDisposable
{
    private const string Eos = "\"eos_token_id\" -1 is outside the vocabulary";
    private const string Head = "\"tie_word_embeddings\" is true, but the files hold a head";
    private const string Generation = "\"eos_token_id\" names no token";

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly List<string> _warnings = [];
    private readonly TemporaryFolder _folder = new();

    public LoadWarningTests()
    {
        Collect(_mlContext);
        using (var model = TextModels.Random(TextModels.Config(4)))
            model.Save(_folder["model"]);
        var path = Path.Combine(_folder["model"], "config.json");
        var config = JsonNode.Parse(File.ReadAllText(path))!.AsObject();
        (config["eos_token_id"], config["tie_word_embeddings"]) = (-1, true);
        File.WriteAllText(path, config.ToJsonString());
        File.WriteAllText(Path.Combine(_folder["model"], "generation_config.json"), "{}");
    }

    public void Dispose() => _folder.Dispose();

    [TestMethod]
    public void ScoringOfAFolderSaysEachOnce()
    {
        using (_mlContext.Transforms.ElasticScoring(_folder["model"]).Fit(_mlContext.Rows("text")))
            SaidOnce(Eos, Head, Generation);
        _warnings.Clear();
        var options = new ElasticScoringEstimator.Options { ModelFolder = _folder["model"], Task = ScoringTask.Features };
        using (_mlContext.Transforms.ElasticScoring(options).Fit(_mlContext.Rows("text")))
            SaidOnce(Eos, Head, Generation);
    }

    [TestMethod]
    public void ExpansionOfAFolderSaysEachOnce()
    {
        var options = Expansion.Steps(1);
        (options.ModelFolder, options.AddedChains) = (_folder["model"], [4]);
        using var grown = _mlContext.Fit(options);
        SaidOnce(Eos, Head, Generation);
        Assert.IsEmpty(grown.Model.Warnings);
    }

    [TestMethod]
    [DataRow(true)]
    [DataRow(false)]
    public void AZipSaysOnceWhatIsOddInIt(bool isOurs)
    {
        var rows = _mlContext.Rows("text");
        using (var transformer = _mlContext.Transforms.ElasticScoring(_folder["model"]).Fit(rows))
            _mlContext.CoLM().Save(transformer, rows.Schema, _folder["model.zip"]);
        _warnings.Clear();
        var other = new MLContext();
        Collect(other);
        // Its configuration has the head that was used.
        using var loaded = (ElasticScoringTransformer)(isOurs
            ? other.CoLM().Load(_folder["model.zip"], out _) : other.Model.Load(_folder["model.zip"], out _));
        SaidOnce(Eos, Generation);
        Assert.HasCount(2, loaded.Model.Warnings);
    }

    [TestMethod]
    public void NothingIsSaidOfAModelThatIsThereAlready()
    {
        using var model = CoLMModel.Load(_folder["model"]);
        Assert.HasCount(3, model.Warnings);
        using var scorer = _mlContext.Scorer(model);
        using var tuned = _mlContext.Tune(Tuning.Steps(scorer, steps: 1));
        Assert.IsEmpty(OfLoading(), string.Join('\n', _warnings));
    }

    private void Collect(MLContext mlContext) => mlContext.Log += (_, entry) =>
    {
        if (entry.Kind == ChannelMessageKind.Warning)
            _warnings.Add(entry.RawMessage);
    };

    private string[] OfLoading() => [.. _warnings.Where(
        warning => ((string[])[Eos, Head, Generation]).Any(part => warning.Contains(part, StringComparison.Ordinal)))];

    private void SaidOnce(params string[] expected)
    {
        Assert.HasCount(expected.Length, OfLoading(), string.Join('\n', _warnings));
        foreach (var part in expected)
            Assert.ContainsSingle(warning => warning.Contains(part, StringComparison.Ordinal), _warnings, part);
    }
}
