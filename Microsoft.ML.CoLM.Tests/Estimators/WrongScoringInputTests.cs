using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Data;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

[TestClass, DoNotParallelize]
public sealed class WrongScoringInputTests
{
    private readonly MLContext _mlContext = new(seed: 1);

    [TestMethod]
    public void AMissingTextColumnIsNamedWithThoseThatAreThere()
    {
        using var model = TextModels.Random(4);
        var rows = Without("Text");
        using var transformer = _mlContext.Scorer(model);
        foreach (Action use in (Action[])[
            () => Estimator(model).Fit(rows), () => transformer.Transform(rows),
            () => transformer.GetOutputSchema(rows.Schema)])
        {
            var error = Assert.Throws<ArgumentException>(use);
            Assert.Contains("'Text'", error.Message);
            Assert.Contains("'Number'", error.Message);
        }
        var shape = Assert.Throws<ArgumentException>(() => Estimator(model).GetOutputSchema(Shapes.Of(rows.Schema)));
        Assert.Contains("'Text'", shape.Message);
    }

    [TestMethod]
    [DataRow("Number")]
    [DataRow("Words")]
    [DataRow("Key")]
    public void AColumnThatIsNotTextIsNamedWithItsType(string column)
    {
        using var model = TextModels.Random(4);
        var rows = _mlContext.Rows("a text", "another");
        var data = _mlContext.Transforms.Text.TokenizeIntoWords("Words", "Text")
            .Append(_mlContext.Transforms.Conversion.MapValueToKey("Key", "Text")).Fit(rows).Transform(rows);
        var estimator = Estimator(model, options => options.TextColumnName = column);
        foreach (var error in (Exception[])[
            Assert.Throws<ArgumentException>(() => estimator.Fit(data)),
            Assert.Throws<ArgumentException>(() => estimator.GetOutputSchema(Shapes.Of(data.Schema)))])
        {
            Assert.Contains($"'{column}'", error.Message);
            Assert.Contains("Text", error.Message);
        }
        Assert.Contains(
            $"{data.Schema[column].Type}", Assert.Throws<ArgumentException>(() => estimator.Fit(data)).Message);
    }

    [TestMethod]
    [DataRow(ScoringTask.Features)]
    [DataRow(ScoringTask.MultipleChoice)]
    public void ATransformerHasItsOwnTask(ScoringTask task)
    {
        using var model = TextModels.Random(4);
        using var transformer = _mlContext.Scorer(model);
        var options = new ElasticScoringEstimator.Options { Transformer = transformer, Task = task };
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Transforms.ElasticScoring(options));
        Assert.Contains($"whose task is {ScoringTask.LanguageModeling}, found {task}", error.Message);
    }

    [TestMethod]
    public void AColumnNameThatDiffersInCaseIsAnotherColumn()
    {
        using var model = TextModels.Random(4);
        var estimator = Estimator(model, options => options.TextColumnName = "text");
        Assert.Contains("'text'", Assert.Throws<ArgumentException>(() => estimator.Fit(_mlContext.Rows("a"))).Message);
    }

    [TestMethod]
    [DataRow(0)]
    [DataRow(-3)]
    public void AChainCountBelowOneIsRefusedAtOnce(int chainCount)
    {
        using var model = TextModels.Random(4);
        var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(
            () => Estimator(model, options => options.ChainCount = chainCount));
        Assert.Contains("chainCount", error.Message);
        Assert.ThrowsExactly<ArgumentOutOfRangeException>(
            () => _mlContext.Transforms.ElasticScoring("folder", chainCount));
    }

    [TestMethod]
    public void AChainCountAboveTheModelsIsRefusedByTheModelsChains()
    {
        using var folder = new TemporaryFolder();
        using var model = TextModels.Random(4, 2);
        model.Save(folder.Path);
        foreach (var estimator in (ElasticScoringEstimator[])[
            Estimator(model, options => options.ChainCount = 3), _mlContext.Transforms.ElasticScoring(folder.Path, 3)])
        {
            var error = Assert.ThrowsExactly<ArgumentOutOfRangeException>(() => estimator.Fit(_mlContext.Rows("a")));
            Assert.Contains("chainCount", error.Message);
            Assert.Contains("{4,2}", error.Message);
            Assert.Contains("3", error.Message);
        }
    }

    [TestMethod]
    [DataRow(1, null, "Window must be at least 2 tokens, found 1")]
    [DataRow(-5, null, "Window must be at least 2 tokens, found -5")]
    [DataRow(null, 0, "Stride must be at least 1 token, found 0")]
    [DataRow(8, 9, "Stride must be at most the window of 8 tokens, found 9")]
    public void WindowsThatAreNoneAreRefusedAtOnce(int? window, int? stride, string message)
    {
        using var model = TextModels.Random(4);
        var error = Assert.ThrowsExactly<ArgumentException>(
            () => Estimator(model, options => (options.Window, options.Stride) = (window, stride)));
        Assert.Contains(message, error.Message);
    }

    [TestMethod]
    [DataRow(65, null, "Window must be at most the model's context of 64 tokens, found 65")]
    [DataRow(null, 65, "Stride must be at most the window, the model's context of 64 tokens, found 65")]
    public void WindowsThatTheModelHasNoContextForAreRefused(int? window, int? stride, string message)
    {
        using var model = TextModels.Random(4);
        var estimator = Estimator(model, options => (options.Window, options.Stride) = (window, stride));
        Assert.Contains(message, Assert.ThrowsExactly<ArgumentException>(() => estimator.Fit(_mlContext.Rows("a"))).Message);
    }

    [TestMethod]
    public void WindowsOfATaskThatReadsTheBeginningOfATextAloneAreRefused()
    {
        using var model = TextModels.Random(4, 4);
        using var source = _mlContext.Scorer(model);
        using var tuned = _mlContext.Tune(Tuning.Steps(source, steps: 1));
        foreach (var (window, stride, option) in new (int?, int?, string)[] { (32, null, "Window"), (null, 8, "Stride") })
        {
            var estimator = _mlContext.Transforms.ElasticScoring(new ElasticScoringEstimator.Options
            {
                Transformer = tuned,
                Window = window,
                Stride = stride,
            });
            var error = Assert.ThrowsExactly<ArgumentException>(() => estimator.Fit(_mlContext.Labelled()));
            Assert.Contains($"{option} must be left out with MulticlassClassification", error.Message);
        }
    }

    [TestMethod]
    public void AFolderThatIsMissingOrNoModelIsNamed()
    {
        using var folder = new TemporaryFolder();
        IDataView Fit(string path) =>
            _mlContext.Transforms.ElasticScoring(path).Fit(_mlContext.Rows("a")).Transform(_mlContext.Rows("a"));
        var missing = folder["nowhere"];
        Assert.Contains(missing, Assert.ThrowsExactly<DirectoryNotFoundException>(() => Fit(missing)).Message);
        var empty = Assert.ThrowsExactly<FileNotFoundException>(() => Fit(folder.Path));
        Assert.Contains("config.json", empty.Message);
        Assert.Contains(folder.Path, empty.Message);
    }

    [TestMethod]
    public void AModelWithoutATokenizerIsRefusedByTheFilesThatItLacks()
    {
        using var folder = new TemporaryFolder();
        using var model = TestModels.Random(TextModels.Config(4));
        model.Save(folder.Path);
        foreach (var error in (Exception[])[
            Assert.ThrowsExactly<InvalidOperationException>(() => Estimator(model).Fit(_mlContext.Rows("a"))),
            Assert.ThrowsExactly<FileNotFoundException>(
                () => _mlContext.Transforms.ElasticScoring(folder.Path).Fit(_mlContext.Rows("a")))])
        {
            Assert.Contains("tokenizer.model", error.Message);
            Assert.Contains("tokenizer.json", error.Message);
        }
    }

    [TestMethod]
    public void ATokenThatTheModelDoesNotHaveIsNamed()
    {
        using var model = TextModels.Random(TextModels.Config(4) with { VocabularySize = 257, EosTokenIds = [] });
        using var transformer = _mlContext.Scorer(model);
        Assert.AreEqual(2, transformer.Score(_mlContext, "AB")[0].TokenCount);
        var error = Assert.Throws<ArgumentException>(() => transformer.Score(_mlContext, "AB<|end_of_text|>A"));
        Assert.Contains("tokenizer", error.Message);
        Assert.Contains("'Text'", error.Message);
        Assert.Contains("token id 257", error.Message);
        Assert.Contains("vocabulary of 257", error.Message);
    }

    [TestMethod]
    public void TheLastTokenOfATextIsCheckedAsWell()
    {
        // It is scored but never read by the model.
        using var model = TextModels.Random(TextModels.Config(4) with { VocabularySize = 257, EosTokenIds = [] });
        using var transformer = _mlContext.Scorer(model);
        var error = Assert.Throws<ArgumentException>(() => transformer.Score(_mlContext, "AB<|end_of_text|>"));
        Assert.Contains("token id 257", error.Message);
        Assert.Contains("vocabulary of 257", error.Message);
    }

    [TestMethod]
    public void BothOrNeitherOfFolderAndModelIsRefusedByTheirNames()
    {
        using var model = TextModels.Random(4);
        foreach (var options in (ElasticScoringEstimator.Options[])[
            new(), new() { Model = model, ModelFolder = "folder" }])
        {
            var error = Assert.Throws<ArgumentException>(() => _mlContext.Transforms.ElasticScoring(options));
            Assert.Contains("ModelFolder", error.Message);
            Assert.Contains("Model", error.Message.Replace("ModelFolder", "", StringComparison.Ordinal));
        }
        Assert.Throws<ArgumentException>(() => _mlContext.Transforms.ElasticScoring(""));
        Assert.Throws<ArgumentException>(() => _mlContext.Transforms.ElasticScoring((string)null!));
        Assert.Throws<ArgumentException>(
            () => _mlContext.Transforms.ElasticScoring((ElasticScoringEstimator.Options)null!));
    }

    [TestMethod]
    [DataRow(ScalarType.Int8)]
    [DataRow(ScalarType.Float64)]
    public void ATypeThatNoWeightsHaveIsNamed(ScalarType type)
    {
        var options = new ElasticScoringEstimator.Options { ModelFolder = "folder", DataType = type };
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Transforms.ElasticScoring(options));
        Assert.Contains("DataType", error.Message);
        Assert.Contains($"{type}", error.Message);
    }

    [TestMethod]
    public void ATypeToLoadInIsAFoldersAlone()
    {
        using var model = TextModels.Random(4);
        var options = new ElasticScoringEstimator.Options { Model = model, DataType = ScalarType.BFloat16 };
        var error = Assert.Throws<ArgumentException>(() => _mlContext.Transforms.ElasticScoring(options));
        Assert.Contains("DataType", error.Message);
        Assert.Contains("ModelFolder", error.Message);
    }

    [TestMethod]
    public void ABatchSizeBelowOneOrBeyondReasonIsNamed()
    {
        using var model = TextModels.Random(4);
        foreach (var size in (int[])[0, -1, 65_537, int.MaxValue])
        {
            var error = Assert.Throws<ArgumentException>(() => Estimator(model, options => options.BatchSize = size));
            Assert.Contains("BatchSize", error.Message);
            Assert.Contains($"{size}", error.Message);
        }
    }

    [TestMethod]
    public void OptionsThatChangeLaterChangeNothing()
    {
        using var model = TextModels.Random(4);
        var options = new ElasticScoringEstimator.Options { Model = model };
        var estimator = _mlContext.Transforms.ElasticScoring(options);
        (options.BatchSize, options.Model, options.TextColumnName) = (0, null, "Nothing");
        using var transformer = estimator.Fit(_mlContext.Rows("text"));
        Assert.HasCount(1, transformer.Score(_mlContext, "text"));
    }

    [TestMethod]
    public void ColumnNamesThatAreEmptyOrEqualAreRefused()
    {
        using var model = TextModels.Random(4);
        Action<ElasticScoringEstimator.Options>[] empties =
        [
            options => options.TextColumnName = "", options => options.LogProbabilityColumnName = "",
            options => options.TokenCountColumnName = null!, options => options.PerplexityColumnName = "",
        ];
        foreach (var empty in empties)
            Assert.Contains("column name", Assert.Throws<ArgumentException>(() => Estimator(model, empty)).Message);
        var error = Assert.Throws<ArgumentException>(
            () => Estimator(model, options => options.PerplexityColumnName = "TokenCount"));
        Assert.Contains("TokenCount", error.Message);
        Assert.Throws<ArgumentException>(() => Estimator(model, options => options.TokenCountColumnName = "Text"));
    }

    [TestMethod]
    public void NoDataIsRefused()
    {
        using var model = TextModels.Random(4);
        using var transformer = _mlContext.Scorer(model);
        Assert.Throws<ArgumentNullException>(() => Estimator(model).Fit(null!));
        Assert.Throws<ArgumentNullException>(() => Estimator(model).GetOutputSchema(null!));
        Assert.Throws<ArgumentNullException>(() => transformer.Transform(null!));
        Assert.Throws<ArgumentNullException>(() => transformer.GetOutputSchema(null!));
    }

    [TestMethod]
    public void AnEmptySchemaIsSaidToBe()
    {
        using var model = TextModels.Random(4);
        using var transformer = _mlContext.Scorer(model);
        var error = Assert.Throws<ArgumentException>(
            () => transformer.GetOutputSchema(new DataViewSchema.Builder().ToSchema()));
        Assert.Contains("no columns", error.Message);
    }

    private ElasticScoringEstimator Estimator(
        CoLMModel model, Action<ElasticScoringEstimator.Options>? change = null)
    {
        var options = new ElasticScoringEstimator.Options { Model = model };
        change?.Invoke(options);
        return _mlContext.Transforms.ElasticScoring(options);
    }

    private IDataView Without(string column)
    {
        var rows = _mlContext.Rows("a text");
        return _mlContext.Transforms.DropColumns(column).Fit(rows).Transform(rows);
    }
}
