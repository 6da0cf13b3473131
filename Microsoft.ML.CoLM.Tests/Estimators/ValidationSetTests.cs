namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>A validation set that does not fit the training data is named as such, with what was expected and found.</summary>
[TestClass, DoNotParallelize]
public sealed class ValidationSetTests
{
    private const string Advice = "The validation set must go through the same transforms as the training data";

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(4, 4);
    private readonly ElasticScoringTransformer _source;

    public ValidationSetTests() => _source = _mlContext.Scorer(_model);

    [TestCleanup]
    public void Dispose()
    {
        _source.Dispose();
        _model.Dispose();
    }

    [TestMethod]
    public void ALabelThatWasMappedInTheTrainingDataAlone()
    {
        var data = _mlContext.Labelled();
        var unmapped = _mlContext.Transforms.CopyColumns("Label", "Class").Fit(data).Transform(data);
        IsRefused(unmapped, Advice, "column 'Label'", "Key<UInt32, 0-2>", "as the training data has", "found String");
        IsRefused(data, Advice, "no label column 'Label'", "It has 'Text', 'Second', 'Class'");
    }

    [TestMethod]
    public void ALabelOfAnotherKind()
    {
        var data = _mlContext.Labelled();
        IsRefused(_mlContext.Transforms.CopyColumns("Label", "IsWarm").Fit(data).Transform(data),
            Advice, "Key<UInt32, 0-2>", "found Boolean");
        IsRefused(_mlContext.Transforms.CopyColumns("Label", "Degrees").Fit(data).Transform(data),
            Advice, "Key<UInt32, 0-2>", "found Single");
    }

    [TestMethod]
    public void AKeyOfOtherValues() => IsRefused(
        _mlContext.Keyed("Number"), Advice, "column 'Label'", "class '0'", "cold, warm, hot");

    [TestMethod]
    public void AKeyOfMoreValuesFitsAsLongAsNoRowHasThem()
    {
        var more = _mlContext.Keyed([Tuning.Data[0] with { Class = "odd" }, .. Tuning.Data.Reverse()]);
        var options = Tuning.Steps(_source, steps: 1);
        options.ValidationSet = _mlContext.Data.SkipRows(more, 1);
        using var tuned = _mlContext.Tune(options);
        options.ValidationSet = _mlContext.Keyed();
        using var same = _mlContext.Tune(options);
        Assert.HasCount(2, same.Training!.ValidationLosses);
        for (var scale = 0; scale < 2; scale++)
            Assert.AreEqual(same.Training.ValidationLosses[scale], tuned.Training!.ValidationLosses[scale], 1e-5);
    }

    [TestMethod]
    public void ATextColumnThatIsMissingOrNoText()
    {
        var rows = _mlContext.Keyed();
        IsRefused(_mlContext.Transforms.DropColumns("Text").Fit(rows).Transform(rows), Advice, "no text column 'Text'");
        var number = _mlContext.Transforms.CopyColumns("Text", "Degrees").Fit(rows).Transform(rows);
        IsRefused(number, Advice, "must have column 'Text' of type Text", "found Single");
        foreach (var task in (TuningTask[])[TuningTask.Completion, TuningTask.LanguageHeads])
        {
            IsRefused(number, options => (options.Task, options.PromptColumnName, options.ResponseColumnName) = (task, "Text", "Second"),
                Advice, "must have column 'Text' of type Text", "found Single");
        }
        var expansion = Expansion.FromNothing(1, 4);
        expansion.ValidationSet = number;
        Says(Assert.Throws<ArgumentException>(() => _mlContext.Fit(expansion)), "The validation set must have column", "found Single");
    }

    [TestMethod]
    public void NoRowOrNoneWithSomethingToPredict()
    {
        IsRefused(_mlContext.Data.SkipRows(_mlContext.Keyed(), 100), "No row of the validation set");
        IsRefused(_mlContext.Rows("", null), options => options.Task = TuningTask.LanguageHeads, "'Text' of the validation set");
        // One token, and so none to predict: it would be a loss that is no number.
        IsRefused(_mlContext.Rows("<|begin_of_text|>"), options => options.Task = TuningTask.LanguageHeads,
            "'Text' of the validation set", "one token");
    }

    private void IsRefused(IDataView validationSet, params string[] parts) => IsRefused(validationSet, _ => { }, parts);

    private void IsRefused(IDataView validationSet, Action<ChainTuningEstimator.Options> change, params string[] parts)
    {
        var options = Tuning.Steps(_source, steps: 1);
        options.ValidationSet = validationSet;
        change(options);
        Says(Assert.Throws<ArgumentException>(() => _mlContext.Tune(options)), [.. parts, "validation set"]);
    }

    private static void Says(Exception error, params string[] parts)
    {
        foreach (var part in parts)
            Assert.Contains(part, error.Message, StringComparison.OrdinalIgnoreCase);
    }
}
