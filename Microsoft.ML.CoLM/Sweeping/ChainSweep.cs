using System.Diagnostics.CodeAnalysis;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Sweeping;
using Microsoft.ML.CoLM.Text;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM;

/// <summary>
/// Tries chain counts and candidates, and finds which to deploy: the metric, latency, memory and parameters of each.
/// </summary>
/// <remarks>
/// There are two kinds. <see cref="SetModel"/> sweeps the chain counts of a fitted model, and nothing is trained.
/// <see cref="SetPipeline"/> fits candidates of a <see cref="SweepSpace"/>, and scores each at every chain count, since these
/// cost no training: a trial is a candidate at one of its chain counts. Where what follows the model in a pipeline was
/// trained on its features, other chain counts do not fit, and the candidate's own is its only trial.
/// <para>
/// A trial that throws is recorded as failed, with the exception's type and message, and the sweep goes on, whether others
/// succeeded before it or not. One whose time is over, or whose training a token of its own options ended, is recorded as
/// stopped, one that takes more memory than is allowed as refused; these are not ranked. A candidate that never gave a model
/// is one trial, with chain count 0.
/// </para>
/// <para>
/// Limits and cancellation reach this library's estimators in a candidate's pipeline by themselves, also in pipelines in it,
/// and end their training after a step, and every reading of rows after a row. Code of others is waited for, unless it reads
/// rows or was handed <see cref="SweepSettings.CancellationToken"/>. What was done until then is returned.
/// </para>
/// <para>
/// Models are kept (<see cref="ChainTrial.Model"/>) of trials that no other beats in metric and latency, in metric and
/// parameters, or in metric and memory, so that the answer to a budget of one of these is ready to score; all others are
/// disposed when they are known not to be among these. Differences in memory of less than a megabyte, or a fifth, are
/// noise, and keep no model. The trials of one candidate share its weights, and with other candidates those that are the
/// same, which are freed with the last of their models; those of <see cref="SetModel"/> share the model's own.
/// </para>
/// <para>
/// With folds, a trial's metric is the mean over the folds, each judged by a model that was fitted to the others, and its
/// latency that of the first fold's model. A candidate whose models are to be kept is fitted once more, to all rows, and
/// those are its models. <see cref="ChainTrial.TrainingSeconds"/> counts all fits.
/// </para>
/// <para>
/// <see cref="ChainTrial.PeakMemory"/> is the largest of what fitting added to the process's memory and of what scoring
/// takes: the weights that the chain count reads and what was added beside them. Of a GPU's memory the weights alone count.
/// </para>
/// <para>A sweep runs once at a time. Messages go to the MLContext's log.</para>
/// </remarks>
public sealed class ChainSweep
{
    private readonly MLContext _mlContext;
    private readonly IHost _host;

    private ITransformer? _model;
    private IReadOnlyList<SweepDimension> _space = [];
    private Func<SweepSettings, IEstimator<ITransformer>>? _create;
    private SweepData? _data;
    private SweepObjective? _objective;
    private string _metricText = "";
    private SweepSearch _search = new GridSearch();
    private int? _maxModels;
    private double? _totalSeconds;
    private double? _trialSeconds;
    private long? _memoryLimit;
    private int _latencyBatchSize = 1;
    private IDataView? _calibrationData;
    private double[] _tolerances = [];
    private CascadeCalibrationOptions _calibration = new();
    private IProgress<ChainTrial>? _monitor;
    private string? _checkpointFolder;
    private int _isRunning;

    internal ChainSweep(MLContext mlContext)
    {
        _mlContext = mlContext;
        _host = ((IHostEnvironment)mlContext).Register(nameof(ChainSweep));
    }

    /// <summary>What measures latency; tests have no time for it.</summary>
    internal Func<ITransformer, IDataView, int, CancellationToken, Latency> MeasureLatency { get; set; } = LatencyMeter.Measure;

    /// <summary>Sweeps the chain counts of a fitted model; nothing is trained.</summary>
    /// <param name="model">A fitted or loaded pipeline, which stays the caller's.</param>
    /// <returns>This sweep.</returns>
    /// <exception cref="ArgumentException">It holds no <see cref="ElasticScoringTransformer"/>, or more than one.</exception>
    public ChainSweep SetModel(ITransformer model)
    {
        ArgumentNullException.ThrowIfNull(model);
        _ = ElasticChain.Find(model);
        _model = model;
        return this;
    }

    /// <summary>Sweeps candidates, each fitted and then scored at every chain count.</summary>
    /// <param name="space">The candidates; later changes of it do not count.</param>
    /// <param name="create">
    /// Makes a candidate's pipeline of its settings: any estimator whose fitted pipeline holds one
    /// <see cref="ElasticScoringTransformer"/>, with <c>MapValueToKey</c> around it, too. It is fitted to the training rows;
    /// the validation rows go through what was fitted.
    /// </param>
    /// <returns>This sweep.</returns>
    /// <exception cref="ArgumentException">The space is empty.</exception>
    public ChainSweep SetPipeline(SweepSpace space, Func<SweepSettings, IEstimator<ITransformer>> create)
    {
        ArgumentNullException.ThrowIfNull(space);
        ArgumentNullException.ThrowIfNull(create);
        if (space.Dimensions.Count == 0)
        {
            throw new ArgumentException($"The space is empty: give it a {nameof(SweepSpace.Choice)} or a " +
                $"{nameof(SweepSpace.Range)}.", nameof(space));
        }
        (_space, _create) = ([.. space.Dimensions], create);
        return this;
    }

    /// <summary>Trains on some rows and judges by others.</summary>
    /// <param name="train">Rows to train on; not read where a model's chain counts are swept.</param>
    /// <param name="validation">Rows to judge by and to measure latency with, as raw as the training rows.</param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetDataset(IDataView train, IDataView validation)
    {
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(validation);
        _data = new(train, validation);
        return this;
    }

    /// <summary>Trains and judges by cross-validation; the MLContext's seed divides the rows, or 1 where it has none.</summary>
    /// <param name="data">All rows.</param>
    /// <param name="fold">How many folds, at least 2.</param>
    /// <param name="samplingKeyColumnName">Rows with equal values of this column stay in one fold; null divides all rows.</param>
    /// <returns>This sweep.</returns>
    /// <exception cref="ArgumentException">There are fewer than 2 folds, or no such column.</exception>
    public ChainSweep SetDataset(IDataView data, int fold, string? samplingKeyColumnName = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        OptionCheck.That(fold >= 2, nameof(fold), fold, "at least 2");
        var folds = new SweepData(data, Validation: null, fold, samplingKeyColumnName);
        folds.Check();
        _data = folds;
        return this;
    }

    /// <summary>Judges by a metric.</summary>
    /// <param name="metric">The metric, which fits the task of the models.</param>
    /// <param name="labelColumnName">The column of the truth, in the validation rows once they went through the pipeline.</param>
    /// <returns>This sweep.</returns>
    /// <exception cref="ArgumentException">There is no such metric, or the column's name is empty.</exception>
    [SuppressMessage("ApiDesign", "RS0027", Justification = "The overloads differ in their first argument's type.")]
    public ChainSweep SetMetric(SweepMetric metric, string labelColumnName = "Label")
    {
        OptionCheck.That(Enum.IsDefined(metric), nameof(metric), metric, $"a {nameof(SweepMetric)}");
        if (string.IsNullOrEmpty(labelColumnName))
            throw new ArgumentException("The name of the label's column is empty.", nameof(labelColumnName));
        _objective = SweepObjective.Of(_mlContext, metric, labelColumnName);
        _metricText = $"{metric} of column '{labelColumnName}'";
        _calibration = new()
        {
            LabelColumnName = labelColumnName,
            Metric = metric == SweepMetric.LogLoss ? metric : null,
        };
        return this;
    }

    /// <summary>Judges by a metric of one's own.</summary>
    /// <param name="name">What it is called in tables.</param>
    /// <param name="evaluate">Gives it, of the validation rows once they went through the pipeline. NaN is a failure.</param>
    /// <param name="isMaximized">Whether more is better.</param>
    /// <returns>This sweep.</returns>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public ChainSweep SetMetric(string name, Func<IDataView, double> evaluate, bool isMaximized)
    {
        if (string.IsNullOrWhiteSpace(name))
            throw new ArgumentException("The name of the metric is empty.", nameof(name));
        ArgumentNullException.ThrowIfNull(evaluate);
        _objective = SweepObjective.Of(name, evaluate, isMaximized);
        _calibration = new();
        _metricText = $"'{name}', {(isMaximized ? "more" : "less")} is better";
        return this;
    }

    /// <summary>Tries every combination, in order; so it is by default.</summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetGridSearch()
    {
        _search = new GridSearch();
        return this;
    }

    /// <summary>Tries combinations at random, none twice, until there is none left; see <see cref="SweepSpace"/>.</summary>
    /// <param name="seed">Decides which, and in which order.</param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetRandomSearch(int seed)
    {
        _search = new RandomSearch(seed);
        return this;
    }

    /// <summary>Limits how many candidates are fitted; without, all of the space are, and a random search may not end.</summary>
    /// <param name="count">At least 1. Each is a trial for every chain count.</param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetMaxModelToExplore(int count)
    {
        OptionCheck.That(count >= 1, nameof(count), count, "at least 1");
        _maxModels = count;
        return this;
    }

    /// <summary>Limits the time of the whole sweep: of fitting, scoring and measuring.</summary>
    /// <param name="seconds">More than 0. Of a sweep with a checkpoint folder, what earlier runs of it took counts.</param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetTrainingTimeInSeconds(double seconds)
    {
        OptionCheck.That(seconds > 0, nameof(seconds), seconds, "above 0");
        _totalSeconds = seconds;
        return this;
    }

    /// <summary>Limits the time of a candidate, with all its trials, or of a chain count of a fitted model.</summary>
    /// <param name="seconds">More than 0.</param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetTrialTimeInSeconds(double seconds)
    {
        OptionCheck.That(seconds > 0, nameof(seconds), seconds, "above 0");
        _trialSeconds = seconds;
        return this;
    }

    /// <summary>
    /// Limits the memory that a trial may add. What this library's estimators are going to take is estimated, and a
    /// candidate refused before it is fitted; all else is measured, and refused afterwards.
    /// </summary>
    /// <param name="megabytes">More than 0; a megabyte is 1,048,576 bytes.</param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetMaximumMemoryUsageInMegaByte(double megabytes)
    {
        OptionCheck.That(megabytes > 0, nameof(megabytes), megabytes, "above 0");
        _memoryLimit = (long)Math.Min(megabytes * 1048576, 1L << 60);
        return this;
    }

    /// <summary>Sets how many rows are scored together where latency is measured; 1 by default.</summary>
    /// <param name="rows">From 1 to 65,536.</param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetLatencyBatchSize(int rows)
    {
        const int Most = ElasticScoringEstimator.Options.MaximumBatchSize;
        OptionCheck.That(rows is >= 1 and <= Most, nameof(rows), rows, FormattableString.Invariant($"from 1 to {Most}"));
        _latencyBatchSize = rows;
        return this;
    }

    /// <summary>Adds a cascade to every model's trials for each tolerance, where the model has several chains.</summary>
    /// <param name="data">Rows to find thresholds by, neither trained nor judged on.</param>
    /// <param name="tolerances">
    /// How much worse than with all chains the calibrated metric may be, each at least 0 and there once: the loss of language
    /// models, and of classification the accuracy, or the log-loss where that is the sweep's metric.
    /// </param>
    /// <returns>This sweep.</returns>
    /// <exception cref="ArgumentException">There is no tolerance, or one that is none.</exception>
    public ChainSweep SetCascadeCalibration(IDataView data, params double[] tolerances)
    {
        ArgumentNullException.ThrowIfNull(data);
        ArgumentNullException.ThrowIfNull(tolerances);
        if (tolerances.Length == 0)
            throw new ArgumentException("There is no tolerance: give one for each cascade.", nameof(tolerances));
        foreach (var tolerance in tolerances)
            OptionCheck.That(tolerance >= 0 && double.IsFinite(tolerance), nameof(tolerances), tolerance, "numbers of at least 0");
        if (tolerances.Distinct().Count() < tolerances.Length)
            throw new ArgumentException("A tolerance is there twice.", nameof(tolerances));
        (_calibrationData, _tolerances) = (data, [.. tolerances]);
        return this;
    }

    /// <summary>
    /// Tells of every trial when it has ended and, with a checkpoint folder, is on the disk; on the thread of the sweep. A
    /// trial whose model is kept has it then.
    /// </summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetMonitor(IProgress<ChainTrial> monitor)
    {
        ArgumentNullException.ThrowIfNull(monitor);
        _monitor = monitor;
        return this;
    }

    /// <summary>
    /// Keeps trials in a folder as they end, from which the same sweep goes on after a kill or a cancellation: with the next
    /// candidate, with the best so far and its model, and with the same trials in the end.
    /// </summary>
    /// <remarks>
    /// The folder has <c>sweep.json</c>, which says what is swept, <c>sweep-trials.jsonl</c>, and a zip for each candidate of
    /// which models are kept. A candidate that the sweep's end cut short is tried anew. Limits may be others when a sweep
    /// goes on; all else that decides its trials must be the same, and rows are compared by their columns and the first
    /// hundred. Of a candidate that was being fitted when the process was killed, nothing is left.
    /// </remarks>
    /// <param name="folder">The folder, which is created where it is missing; one for each sweep.</param>
    /// <returns>This sweep.</returns>
    /// <exception cref="ArgumentException">The name is empty.</exception>
    public ChainSweep SetCheckpoint(string folder)
    {
        ArgumentException.ThrowIfNullOrWhiteSpace(folder);
        if (folder.Contains('\0', StringComparison.Ordinal))
            throw new ArgumentException("The name of the folder has a NUL character.", nameof(folder));
        _checkpointFolder = folder;
        return this;
    }

    /// <summary>Runs the sweep.</summary>
    /// <param name="cancellationToken">Ends it after the step or row that it is in, with the trials that are done.</param>
    /// <returns>The trials, with their models: disposing it disposes these.</returns>
    /// <exception cref="InvalidOperationException">
    /// A model or a pipeline, the data or the metric was not set, or both model and pipeline; it runs already; or no trial
    /// completed: the message has the reason of each.
    /// </exception>
    /// <exception cref="ArgumentException">
    /// The metric does not fit the model that is swept, or its validation rows; or a fold has no rows; or the checkpoint folder
    /// is of another sweep, and the message says what differs.
    /// </exception>
    /// <exception cref="InvalidDataException">The checkpoint folder is damaged; the message names the file, and the line.</exception>
    /// <exception cref="IOException">The checkpoint folder cannot be written, or another sweep writes to it.</exception>
    /// <exception cref="UnauthorizedAccessException">The checkpoint folder may not be written.</exception>
    public ChainSweepResult Run(CancellationToken cancellationToken = default) => Enter(plan => Run(plan, cancellationToken));

    /// <summary>Runs the sweep on a thread of its own; see <see cref="Run(CancellationToken)"/> for what it throws.</summary>
    /// <param name="cancellationToken">Ends it after the step or row that it is in, with the trials that are done.</param>
    /// <returns>The trials, with their models: disposing it disposes these.</returns>
    public Task<ChainSweepResult> RunAsync(CancellationToken cancellationToken = default) => Enter(plan => Task.Factory.StartNew(
        () => Run(plan, cancellationToken), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));

    private ChainSweepResult Run(SweepPlan plan, CancellationToken cancellationToken)
    {
        try
        {
            return new SweepRun(plan, cancellationToken).Run();
        }
        finally
        {
            Volatile.Write(ref _isRunning, 0);
        }
    }

    private T Enter<T>(Func<SweepPlan, T> run)
    {
        var plan = Plan();
        if (Interlocked.Exchange(ref _isRunning, 1) != 0)
            throw new InvalidOperationException("The sweep runs already: make another one, or wait for it.");
        return run(plan);
    }

    private SweepPlan Plan()
    {
        if (_model is null == _create is null)
        {
            throw new InvalidOperationException($"Give the sweep exactly one of {nameof(SetModel)} and {nameof(SetPipeline)}, " +
                $"found {(_model is null ? "neither" : "both")}.");
        }
        var data = _data ?? throw new InvalidOperationException($"Give the sweep its data by {nameof(SetDataset)}.");
        return new()
        {
            Context = _mlContext,
            Host = _host,
            Model = _model,
            Space = _model is null ? _space : [],
            Create = _create,
            Search = _search,
            Data = data,
            Folds = data.Folds(_mlContext, HostSettings.SeedOf(_host)),
            Objective = _objective ?? throw new InvalidOperationException($"Give the sweep a metric by {nameof(SetMetric)}."),
            MetricText = _metricText,
            MaxModels = _maxModels,
            TotalSeconds = _totalSeconds,
            TrialSeconds = _trialSeconds,
            MemoryLimit = _memoryLimit,
            LatencyBatchSize = _latencyBatchSize,
            MeasureLatency = MeasureLatency,
            CalibrationData = _calibrationData,
            Tolerances = _tolerances,
            Calibration = _calibration,
            Monitor = _monitor,
            CheckpointFolder = _checkpointFolder,
        };
    }
}
