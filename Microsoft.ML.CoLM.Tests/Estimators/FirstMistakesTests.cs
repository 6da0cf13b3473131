using Microsoft.ML.CoLM.Tests.Checkpoints;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>What a newcomer gets wrong first: the message names it, and what to do.</summary>
[TestClass, DoNotParallelize]
public sealed class FirstMistakesTests
{
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(4, 4);
    private readonly ElasticScoringTransformer _source;

    public FirstMistakesTests() => _source = _mlContext.Scorer(_model);

    [TestCleanup]
    public void Dispose()
    {
        _source.Dispose();
        _model.Dispose();
    }

    [TestMethod]
    public void AStepOfThePipelineThatComesTooLate()
    {
        var scoring = new ElasticScoringEstimator.Options { Model = _model, TextColumnName = "Copy" };
        Says<ArgumentException>(
            () => _mlContext.Transforms.ElasticScoring(scoring).Append(_mlContext.Transforms.CopyColumns("Copy", "Text"))
                .Fit(_mlContext.Rows("a")),
            "no text column 'Copy'", "It has 'Text'");
        Says<ArgumentException>(
            () => _mlContext.Transforms.ChainTuning(_source).Append(_mlContext.Transforms.Conversion.MapValueToKey("Label", "Class"))
                .Fit(_mlContext.Labelled()),
            "no label column 'Label'", "'Class'");
    }

    [TestMethod]
    [DataRow("Number", "Int32", "ConvertType")]
    [DataRow("Class", "String", "MapValueToKey")]
    public void ALabelThatHasToBeConverted(string column, string type, string transform)
    {
        var options = Tuning.Steps(_source, steps: 1);
        options.LabelColumnName = column;
        Says<ArgumentException>(() => _mlContext.Tune(options, _mlContext.Labelled()), $"'{column}'", type, transform);
    }

    [TestMethod]
    public void AVectorOfTextsAsText() => Says<ArgumentException>(
        () => _source.Transform(_mlContext.Data.LoadFromEnumerable([new Texts()])), "'Text'", "of type Text", "Vector<String>");

    [TestMethod]
    public void AModelThatWasDisposedIsRefusedBeforeARowIsScored()
    {
        var model = TextModels.Random(4);
        model.Dispose();
        Assert.ThrowsExactly<ObjectDisposedException>(() => _mlContext.Scorer(model));
    }

    [TestMethod]
    public void NamesThatAreEmpty()
    {
        Says<ArgumentException>(() => Scoring(options => options.TextColumnName = null!), "TextColumnName", "empty");
        Says<ArgumentException>(() => Scoring(options => options.PerplexityColumnName = ""), "PerplexityColumnName", "empty");
        Says<ArgumentException>(
            () => Scoring(options => (options.Model, options.ModelFolder) = (null, "")), "ModelFolder", "empty");
        var expansion = Expansion.FromNothing(1, 4);
        expansion.TokenizerFolder = "";
        Says<ArgumentException>(() => _mlContext.Fit(expansion), "TokenizerFolder", "empty");
    }

    [TestMethod]
    public void OptionsThatAreNullOrHaveNothingInThem()
    {
        var options = Tuning.Steps(_source, steps: 1);
        options.ScaleWeights = [];
        Says<ArgumentException>(() => _mlContext.Tune(options), "ScaleWeights must be a number for each chain count", "found none");
        options.ScaleWeights = [1, 0];
        Says<ArgumentException>(() => _mlContext.Tune(options), "ScaleWeights", "above 0 for the last one", "found 0");
        options = Tuning.Steps(_source, steps: 1);
        (options.Task, options.Template) = (TuningTask.Completion, null!);
        Says<ArgumentException>(() => _mlContext.Tune(options), "Template must be a format string", "found null");

        var expansion = Expansion.FromNothing(1, 4);
        expansion.Architecture = expansion.Architecture! with { Layout = null! };
        Says<ArgumentException>(() => _mlContext.Fit(expansion), "Layout must be given");
        Says<ArgumentNullException>(() => TextModels.Config(4) with { EosTokenIds = null! }, "EosTokenIds");
    }

    [TestMethod]
    public void AFolderForCheckpointsThatIsAFile()
    {
        using var folder = new TemporaryFolder();
        var file = Path.Combine(folder.Path, "file");
        File.WriteAllText(file, "kept");
        foreach (var path in new[] { file, Path.Combine(file, "below") })
        {
            var options = Tuning.Steps(_source, steps: 1);
            options.CheckpointFolder = path;
            Says<IOException>(() => _mlContext.Tune(options), "CheckpointFolder", path);
        }
        Assert.AreEqual("kept", File.ReadAllText(file));
    }

    private IEstimator<ITransformer> Scoring(Action<ElasticScoringEstimator.Options> change)
    {
        var options = new ElasticScoringEstimator.Options { Model = _model };
        change(options);
        return _mlContext.Transforms.ElasticScoring(options);
    }

    private static void Says<TException>(Func<object?> action, params string[] parts)
        where TException : Exception
    {
        var error = Assert.Throws<TException>(action);
        foreach (var part in parts)
            Assert.Contains(part, error.Message);
    }

    private sealed class Texts
    {
        public string[] Text { get; set; } = ["a", "b"];
    }
}
