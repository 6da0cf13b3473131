using System.Reflection;
using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>How trainings and scorings are ended: by the options' token, and by the MLContext as ML.NET's own are.</summary>
[TestClass, DoNotParallelize]
public sealed class CancellationTests
{
    private const int ManySteps = 100_000;
    private const int LongText = 1 << 21; // half a minute of windows

    private readonly MLContext _mlContext = new(seed: 1);
    private readonly CoLMModel _model = TextModels.Random(4, 4);
    private readonly ElasticScoringTransformer _source;

    public CancellationTests() => _source = _mlContext.Scorer(_model);

    [TestCleanup]
    public void Dispose()
    {
        _source.Dispose();
        _model.Dispose();
    }

    [TestMethod]
    public void ATokenThatIsCancelledAlreadyThrowsInEveryEstimator()
    {
        var cancelled = new CancellationToken(canceled: true);
        foreach (var options in new[] { Expansion.Grow(_model, ManySteps, 4), Expansion.FromNothing(ManySteps, 4) })
        {
            options.CancellationToken = cancelled;
            Throws(() => _mlContext.Fit(options));
        }
        foreach (var options in EveryTuning())
        {
            options.CancellationToken = cancelled;
            Throws(() => _mlContext.Tune(options));
        }
    }

    [TestMethod]
    public void AContextThatIsCancelledAlreadyThrowsInEveryEstimatorAsInMLNetsOwn()
    {
        CancelExecution();
        Throws(() => _mlContext.BinaryClassification.Trainers.SdcaLogisticRegression().Fit(_mlContext.Data.LoadFromEnumerable(
            new[] { true, false }.Select(label => new NumbersRow { Label = label }))));
        Throws(() => _mlContext.Fit(Expansion.Grow(_model, ManySteps, 4)));
        Throws(() => _mlContext.Fit(Expansion.FromNothing(ManySteps, 4)));
        foreach (var options in EveryTuning())
            Throws(() => _mlContext.Tune(options));
        Throws(() => _mlContext.Scorer(_model));
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    [DataRow(false)]
    [DataRow(true)]
    public void CancellingTheContextEndsATrainingAfterItsStepWithoutAModel(bool tunes)
    {
        using var folder = new TemporaryFolder();
        TrainingOptions options = tunes ? Tuning.Steps(_source, ManySteps) : Expansion.FromNothing(ManySteps, 4);
        var recorder = new Recorder(progress =>
        {
            if (progress.Step == 3)
                CancelExecution();
        });
        (options.Progress, options.CheckpointFolder) = (recorder, folder.Path);
        Throws(() => Fit(options));
        Assert.HasCount(3, recorder.Reports);
        Assert.Contains(file => Path.GetFileName(file) == "checkpoint-3.safetensors", Directory.GetFiles(folder.Path));
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    [DataRow(false)]
    [DataRow(true)]
    public void CancellingTheContextEndsTheReadingOfRows(bool tunes)
    {
        var read = 0;
        IEnumerable<LabelledRow> Rows()
        {
            while (true)
            {
                if (++read == 5)
                    CancelExecution();
                yield return Tuning.Data[read % 3];
            }
        }
        var endless = _mlContext.Data.LoadFromEnumerable(Rows());
        var tuning = Tuning.Steps(_source, ManySteps);
        tuning.LabelColumnName = "IsWarm";
        Throws(() => tunes ? _mlContext.Tune(tuning, endless)
            : _mlContext.Transforms.ChainExpansion(Expansion.FromNothing(ManySteps, 4)).Fit(endless));
        Assert.IsLessThan(20, read);
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    public void CancellingTheContextEndsAValidation()
    {
        var options = Expansion.FromNothing(ManySteps, 4);
        (options.ValidationSet, options.ValidationInterval) = (_mlContext.Rows(TextModels.Sentence(LongText)), 1);
        EndsWhileItRuns(() => _mlContext.Fit(options));
    }

    [TestMethod]
    public void AContextThatIsCancelledAlreadyScoresNoRow()
    {
        using var tuned = Tuned();
        var scored = _source.Transform(_mlContext.Rows("a", "b"));
        var predicted = tuned.Transform(_mlContext.Labelled());
        using var engine = Engine(_source);
        CancelExecution();
        Throws(() => _mlContext.Scores(scored));
        Throws(() => _mlContext.Data.CreateEnumerable<Prediction>(predicted, reuseRowObject: false).ToArray());
        Throws(() => engine.Predict(new TextRow { Text = "a" }));
    }

    [TestMethod]
    [Timeout(60_000, CooperativeCancellation = true)]
    [DataRow("LanguageModeling")]
    [DataRow("cascade")]
    [DataRow("Features")]
    [DataRow("engine")]
    public void CancellingTheContextEndsTheScoringOfALongText(string what)
    {
        var text = TextModels.Sentence(LongText);
        var options = new ElasticScoringEstimator.Options { Model = _model };
        if (what == "cascade")
            options.Cascade = new CascadeOptions { ChainCounts = [1, 2], MaximumLosses = [-1] };
        options.Task = what == "Features" ? ScoringTask.Features : ScoringTask.LanguageModeling;
        using var transformer = _mlContext.Transforms.ElasticScoring(options).Fit(_mlContext.Rows("a"));
        if (what == "engine")
        {
            using var engine = Engine(transformer);
            EndsWhileItRuns(() => engine.Predict(new TextRow { Text = text }));
            return;
        }
        var scored = transformer.Transform(_mlContext.Rows(text));
        EndsWhileItRuns(() => what == "Features"
            ? _mlContext.Data.CreateEnumerable<FeatureRow>(scored, reuseRowObject: false).ToArray()
            : _mlContext.Scores(scored));
    }

    [TestMethod]
    public void OtherContextsGoOn()
    {
        CancelExecution();
        var other = new MLContext(seed: 1);
        using var scorer = other.Scorer(_model);
        Assert.HasCount(1, scorer.Score(other, "a"));
    }

    private IEnumerable<ChainTuningEstimator.Options> EveryTuning() => Enum.GetValues<TuningTask>().Select(task =>
    {
        var options = Tuning.Steps(_source, ManySteps);
        (options.Task, options.PromptColumnName, options.ResponseColumnName) = (task, "Text", "Second");
        return options;
    });

    private ElasticScoringTransformer Tuned() => _mlContext.Tune(Tuning.Steps(_source, steps: 1));

    private ElasticScoringTransformer Fit(TrainingOptions options) => options is ChainTuningEstimator.Options tuning
        ? _mlContext.Tune(tuning)
        : _mlContext.Fit((ChainExpansionEstimator.Options)options);

    private PredictionEngine<TextRow, ScoredRow> Engine(ITransformer transformer) => _mlContext.Model
        .CreatePredictionEngine<TextRow, ScoredRow>(transformer, new PredictionEngineOptions { OwnsTransformer = false });

    private static void Throws(Func<object> action) => Assert.Throws<OperationCanceledException>(action);

    private void EndsWhileItRuns(Func<object> action)
    {
        var canceller = new Thread(() =>
        {
            Thread.Sleep(300);
            CancelExecution();
        });
        canceller.Start();
        Throws(action);
        canceller.Join();
    }

    // ML.NET's own experiments cancel this way; the method is not public.
    private void CancelExecution() => typeof(MLContext)
        .GetMethod("CancelExecution", BindingFlags.Instance | BindingFlags.NonPublic | BindingFlags.Public)!
        .Invoke(_mlContext, null);

    private sealed class NumbersRow
    {
        public bool Label { get; set; }

        [VectorType(2)]
        public float[] Features { get; set; } = [1, 2];
    }
}
