using Microsoft.ML;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Estimators;

namespace Benchmarks;

/// <summary>A sweep over tunings of a model by a chain that is added: a candidate at one chain, and at two.</summary>
internal sealed class SweepWork : IDisposable
{
    private const int Rows = 240;
    private const int WordsEach = 16;
    private const int FewSteps = 12;

    private readonly int _steps;
    private readonly MLContext _mlContext = new(seed: 1);
    private readonly IDataView _rows;
    private readonly ElasticScoringTransformer _source;

    /// <param name="modelFolder">The model.</param>
    /// <param name="steps">Steps of each tuning.</param>
    public SweepWork(DirectoryInfo modelFolder, int steps = FewSteps)
    {
        _steps = steps;
        _rows = _mlContext.Data.LoadFromEnumerable(Texts.Rows(Rows, WordsEach).Select(row =>
            new LabelledDocument { Text = row.Text, Label = row.Text.Contains("dog", StringComparison.Ordinal) }).ToArray());
        _source = _mlContext.Transforms.ElasticScoring(modelFolder.FullName).Fit(_rows);
    }

    /// <summary>Fits so many candidates, in the same order each time.</summary>
    /// <param name="candidates">How many.</param>
    /// <param name="measuresLatency">Or takes a millisecond for each chain, at once: it is most of the time otherwise.</param>
    public ChainSweep Create(int candidates, bool measuresLatency)
    {
        var sweep = Create(candidates);
        if (!measuresLatency)
        {
            sweep.MeasureLatency = (model, _, _, _) =>
            {
                var chains = ElasticChain.Find(model).ChainCount;
                return new(chains, chains, 1000.0 / chains);
            };
        }
        return sweep;
    }

    /// <summary>Candidates that ranks share, without latency.</summary>
    public ChainSweep CreateForRanks(int candidates, Communicator communicator) =>
        Create(candidates).SetLatencyMeasurement(false).SetCommunicator(communicator);

    private ChainSweep Create(int candidates)
    {
        var space = new SweepSpace().Range("learningRate", 1e-4, 1e-2, logBase: true).Choice("kvSharing", true, false);
        return _mlContext.CoLM().CreateSweep().SetPipeline(space, settings => _mlContext.Transforms.ChainTuning(new()
        {
            Transformer = _source,
            LearningRate = settings.Get<double>("learningRate"),
            KvSharing = settings.Get<bool>("kvSharing"),
            SequenceLength = 64,
            MaxSteps = _steps,
            WarmupSteps = 2,
            Seed = 1,
        })).SetDataset(_rows, _rows).SetMetric(SweepMetric.AreaUnderRocCurve).SetRandomSearch(seed: 1)
            .SetMaxModelToExplore(candidates).SetLatencyBatchSize(16);
    }

    /// <summary>What two runs of one sweep have in common: all but times and memory.</summary>
    public static string Describe(ChainTrial trial) => FormattableString.Invariant(
        $"{trial.Id}: learningRate {trial.Settings.Get<double>("learningRate"):R}, kvSharing {trial.Settings.Get<bool>("kvSharing")}, ") +
        FormattableString.Invariant($"chain count {trial.ChainCount}, {trial.State}, {trial.Metric:R}");

    /// <summary>What a trial's model predicts.</summary>
    public string Predictions(ChainTrial trial) => string.Join(' ',
        _mlContext.Data.CreateEnumerable<Answer>(trial.Model!.Transform(_rows), reuseRowObject: false)
            .Select(answer => FormattableString.Invariant($"{answer.Score:R}")));

    public void Dispose() => _source.Dispose();

    private sealed class Answer
    {
        public float Score { get; set; }
    }
}
