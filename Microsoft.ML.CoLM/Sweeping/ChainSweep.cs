using System.Diagnostics.CodeAnalysis;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Sweeping;
using Microsoft.ML.CoLM.Text;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM;

/// <summary>
/// Tries chain counts and candidates to find which to deploy, by the metric, latency, memory and parameters of each.
/// </summary>
/// <remarks>
/// There are two kinds. <see cref="SetModel"/> sweeps the chain counts of a fitted model, and nothing is trained.
/// <see cref="SetPipeline"/> fits the candidates of a <see cref="SweepSpace"/> and scores each at every chain count, since
/// these need no further training: a trial is a candidate at one of its chain counts. If a trainer that follows the model in a
/// pipeline was trained on its features, other chain counts do not fit it, and the candidate's own is its only trial.
/// <para>
/// A trial that throws is recorded as failed, with the exception's type and message, and the sweep continues in any case. A
/// trial that exceeds its time limit, or whose training was ended by a token in its own options, is recorded as stopped; one
/// that takes more memory than allowed, as refused. These are not ranked. A candidate that never produced a model is one trial
/// with chain count 0.
/// </para>
/// <para>
/// Limits and cancellation automatically reach this library's estimators in a candidate's pipeline, even in nested pipelines;
/// they end training after the current step, and reading after the current row. The sweep waits for other code, unless it reads
/// rows or was given <see cref="SweepSettings.CancellationToken"/>. What has been completed is returned.
/// </para>
/// <para>
/// Models are kept (<see cref="ChainTrial.Model"/>) for trials that no other beats in metric and latency, in metric and
/// parameters, or in metric and memory, so the best trial for a budget on one of these is ready to score; all others are
/// disposed once it is known that they are not among these. Memory differences below a megabyte or a fifth are noise, and keep
/// no model. The trials of one candidate share its weights, and share identical weights with other candidates; they are freed
/// with the last of their models. Those of <see cref="SetModel"/> share the model's own.
/// </para>
/// <para>
/// With folds, a trial's metric is the mean over the folds, each evaluated by a model that was fitted to the others, and its
/// latency is that of the first fold's model. A candidate whose models are to be kept is fitted once more, to all rows, which
/// yields its models. <see cref="ChainTrial.TrainingSeconds"/> includes all fits.
/// </para>
/// <para>
/// <see cref="ChainTrial.PeakMemory"/> is the larger of what fitting added to the process's memory and what scoring takes: the
/// weights that the chain count reads and what was added beside them. On a GPU, only the weights count.
/// </para>
/// <para>A sweep cannot run twice at the same time. Messages go to the MLContext's log.</para>
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
    private bool _measuresLatency = true;
    private Communicator? _communicator;
    private int _isRunning;

    internal ChainSweep(MLContext mlContext)
    {
        _mlContext = mlContext;
        _host = ((IHostEnvironment)mlContext).Register(nameof(ChainSweep));
    }

    /// <summary>Measures latency; replaced in tests, which have no time for it.</summary>
    internal Func<ITransformer, IDataView, int, CancellationToken, Latency> MeasureLatency { get; set; } = LatencyMeter.Measure;

    /// <summary>Sweeps the chain counts of a fitted model; nothing is trained.</summary>
    /// <param name="model">A fitted or loaded pipeline; the caller still owns it.</param>
    /// <returns>This sweep.</returns>
    /// <exception cref="ArgumentException">
    /// It contains no <see cref="ElasticScoringTransformer"/>, or more than one.
    /// </exception>
    public ChainSweep SetModel(ITransformer model)
    {
        ArgumentNullException.ThrowIfNull(model);
        _ = ElasticChain.Find(model);
        _model = model;
        return this;
    }

    /// <summary>Sweeps candidates, each fitted and then scored at every chain count.</summary>
    /// <param name="space">The candidates; later changes to it have no effect.</param>
    /// <param name="create">
    /// Creates a candidate's pipeline from its settings: any estimator whose fitted pipeline contains one
    /// <see cref="ElasticScoringTransformer"/>, possibly with <c>MapValueToKey</c> around it. It is fitted to the training
    /// rows; the validation rows go through the fitted pipeline.
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

    /// <summary>Trains on some rows and evaluates on others.</summary>
    /// <param name="train">Rows to train on; not read if a model's chain counts are swept.</param>
    /// <param name="validation">Rows to evaluate and to measure latency on, in the same raw form as the training rows.</param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetDataset(IDataView train, IDataView validation)
    {
        ArgumentNullException.ThrowIfNull(train);
        ArgumentNullException.ThrowIfNull(validation);
        _data = new(train, validation);
        return this;
    }

    /// <summary>
    /// Trains and evaluates by cross-validation; rows are split by the MLContext's seed, or 1 if it has none.
    /// </summary>
    /// <param name="data">All rows.</param>
    /// <param name="fold">The number of folds, at least 2.</param>
    /// <param name="samplingKeyColumnName">
    /// Rows with equal values in this column stay in one fold; null splits all rows.
    /// </param>
    /// <returns>This sweep.</returns>
    /// <exception cref="ArgumentException">There are fewer than 2 folds, or the column does not exist.</exception>
    public ChainSweep SetDataset(IDataView data, int fold, string? samplingKeyColumnName = null)
    {
        ArgumentNullException.ThrowIfNull(data);
        OptionCheck.That(fold >= 2, nameof(fold), fold, "at least 2");
        var folds = new SweepData(data, Validation: null, fold, samplingKeyColumnName);
        folds.Check();
        _data = folds;
        return this;
    }

    /// <summary>Evaluates by a metric.</summary>
    /// <param name="metric">The metric, which must fit the task of the models.</param>
    /// <param name="labelColumnName">
    /// The column of true labels, in the validation rows after they went through the pipeline.
    /// </param>
    /// <returns>This sweep.</returns>
    /// <exception cref="ArgumentException">
    /// <paramref name="metric"/> is not a defined value, or the column name is empty.
    /// </exception>
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

    /// <summary>Evaluates by a custom metric.</summary>
    /// <param name="name">Its name in tables.</param>
    /// <param name="evaluate">
    /// Computes it from the validation rows after they went through the pipeline. NaN is a failure.
    /// </param>
    /// <param name="isMaximized">Whether higher is better.</param>
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

    /// <summary>Tries every combination, in order; this is the default.</summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetGridSearch()
    {
        _search = new GridSearch();
        return this;
    }

    /// <summary>Tries random combinations without repetition until none is left; see <see cref="SweepSpace"/>.</summary>
    /// <param name="seed">Determines which combinations, and their order.</param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetRandomSearch(int seed)
    {
        _search = new RandomSearch(seed);
        return this;
    }

    /// <summary>
    /// Limits how many candidates are fitted; without a limit, the whole space is, and a random search may not end.
    /// </summary>
    /// <param name="count">At least 1. Each candidate is a trial for every chain count.</param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetMaxModelToExplore(int count)
    {
        OptionCheck.That(count >= 1, nameof(count), count, "at least 1");
        _maxModels = count;
        return this;
    }

    /// <summary>Limits the time of the whole sweep, including fitting, scoring and measuring.</summary>
    /// <param name="seconds">More than 0. With a checkpoint folder, the time of earlier runs counts.</param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetTrainingTimeInSeconds(double seconds)
    {
        OptionCheck.That(seconds > 0, nameof(seconds), seconds, "above 0");
        _totalSeconds = seconds;
        return this;
    }

    /// <summary>Limits the time of a candidate with all its trials, or of one chain count of a fitted model.</summary>
    /// <param name="seconds">More than 0.</param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetTrialTimeInSeconds(double seconds)
    {
        OptionCheck.That(seconds > 0, nameof(seconds), seconds, "above 0");
        _trialSeconds = seconds;
        return this;
    }

    /// <summary>
    /// Limits the memory that a trial may add. For this library's estimators it is estimated, and a candidate that exceeds it
    /// is refused before it is fitted; everything else is measured, and refused afterwards.
    /// </summary>
    /// <param name="megabytes">More than 0; a megabyte is 1,048,576 bytes.</param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetMaximumMemoryUsageInMegaByte(double megabytes)
    {
        OptionCheck.That(megabytes > 0, nameof(megabytes), megabytes, "above 0");
        _memoryLimit = (long)Math.Min(megabytes * 1048576, 1L << 60);
        return this;
    }

    /// <summary>Sets how many rows are scored together when latency is measured; 1 by default.</summary>
    /// <param name="rows">From 1 to 65,536.</param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetLatencyBatchSize(int rows)
    {
        const int Most = ElasticScoringEstimator.Options.MaximumBatchSize;
        OptionCheck.That(rows is >= 1 and <= Most, nameof(rows), rows, FormattableString.Invariant($"from 1 to {Most}"));
        _latencyBatchSize = rows;
        return this;
    }

    /// <summary>Sets whether latency is measured; it is by default.</summary>
    /// <param name="isMeasured">
    /// If false, trials have no latency, <see cref="ChainSweepResult.Frontier"/> and
    /// <see cref="ChainSweepResult.CheapestWithin"/> compare parameters instead, and a latency budget is refused.
    /// </param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetLatencyMeasurement(bool isMeasured)
    {
        _measuresLatency = isMeasured;
        return this;
    }

    /// <summary>Adds a cascade to every model's trials for each tolerance, if the model has several chains.</summary>
    /// <param name="data">Rows to find thresholds on, used neither for training nor for evaluation.</param>
    /// <param name="tolerances">
    /// How much worse than with all chains the calibrated metric may be, each at least 0 and listed once: the loss for language
    /// models; for classification the accuracy, or the log-loss if that is the sweep's metric.
    /// </param>
    /// <returns>This sweep.</returns>
    /// <exception cref="ArgumentException">There is no tolerance, or an invalid one.</exception>
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
    /// Reports every trial when it has ended and, with a checkpoint folder, is on disk; called on the sweep's thread. The model
    /// of a trial that is kept is available then.
    /// </summary>
    /// <returns>This sweep.</returns>
    public ChainSweep SetMonitor(IProgress<ChainTrial> monitor)
    {
        ArgumentNullException.ThrowIfNull(monitor);
        _monitor = monitor;
        return this;
    }

    /// <summary>
    /// Stores trials in a folder as they end, so that the same sweep can resume after a kill or a cancellation: with the next
    /// candidate, the best so far and its model, and the same trials in the end.
    /// </summary>
    /// <remarks>
    /// The folder contains <c>sweep.json</c>, which describes the sweep, <c>sweep-trials.jsonl</c>, and a zip for each
    /// candidate with kept models. A candidate that was interrupted is tried again. Limits may differ when a sweep resumes;
    /// everything else that determines its trials must be the same, and rows are compared by their columns and the first
    /// hundred. Nothing remains of a candidate that was being fitted when the process was killed.
    /// </remarks>
    /// <param name="folder">The folder, created if missing; one per sweep.</param>
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

    /// <summary>Shares the trials among several processes, each a rank, that all run this sweep.</summary>
    /// <remarks>
    /// Every rank creates the same sweep and runs it; each gets the next candidate (of <see cref="SetModel"/> the next chain count
    /// or cascade) when it is done with its last one. All ranks return the same trials with the same numbers, in the order of one
    /// process. The models of a pipeline's candidates are on rank 0 only, which receives those that are kept;
    /// <see cref="ChainTrial.Model"/> is null on the others. The models of <see cref="SetModel"/> are on every rank.
    /// <para>
    /// Rank 0 alone uses the checkpoint folder, reports to the monitor and the log, in the trials' order and between its own
    /// trials, and limits the number of candidates and the time of the sweep. Cancelling any rank ends the sweep on all. While
    /// a rank measures latency, all others wait; see <see cref="SetLatencyMeasurement"/>. A checkpoint can continue with
    /// another number of ranks.
    /// </para>
    /// <para>
    /// If the ranks' sweeps differ, all throw an <see cref="ArgumentException"/> that names the ranks and what differs. If one
    /// fails or leaves, the others throw a <see cref="CommunicatorException"/>.
    /// </para>
    /// </remarks>
    /// <param name="communicator">The ranks; the caller still owns it. One of a single rank has no effect.</param>
    /// <returns>This sweep.</returns>
    public ChainSweep SetCommunicator(Communicator communicator)
    {
        ArgumentNullException.ThrowIfNull(communicator);
        _communicator = communicator.Size > 1 ? communicator : null;
        return this;
    }

    /// <summary>Runs the sweep.</summary>
    /// <param name="cancellationToken">Ends the sweep after the current step or row, and returns the completed trials.</param>
    /// <returns>The trials with their models, which are disposed with it.</returns>
    /// <exception cref="InvalidOperationException">
    /// A model or a pipeline, the data or the metric was not set, or both a model and a pipeline were; the sweep is already
    /// running; or no trial completed: the message has the reason for each.
    /// </exception>
    /// <exception cref="ArgumentException">
    /// The metric does not fit the swept model or its validation rows; a fold has no rows; or the checkpoint folder belongs to
    /// another sweep, and the message says what differs.
    /// </exception>
    /// <exception cref="InvalidDataException">
    /// The checkpoint folder is damaged; the message names the file and the line.
    /// </exception>
    /// <exception cref="IOException">The checkpoint folder cannot be written, or another sweep is writing to it.</exception>
    /// <exception cref="UnauthorizedAccessException">The checkpoint folder is not writable.</exception>
    public ChainSweepResult Run(CancellationToken cancellationToken = default) => Enter(plan => Run(plan, cancellationToken));

    /// <summary>Runs the sweep on its own thread; see <see cref="Run(CancellationToken)"/> for its exceptions.</summary>
    /// <param name="cancellationToken">Ends the sweep after the current step or row, and returns the completed trials.</param>
    /// <returns>The trials with their models, which are disposed with it.</returns>
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
        var plan = SharedPlan();
        if (Interlocked.Exchange(ref _isRunning, 1) != 0)
            throw new InvalidOperationException("The sweep runs already: make another one, or wait for it.");
        return run(plan);
    }

    private SweepPlan SharedPlan()
    {
        try
        {
            return Plan();
        }
        catch (Exception e) when (_communicator is not null)
        {
            SweepAgreement.Check(_communicator, () => throw e);
            throw;
        }
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
            MeasuresLatency = _measuresLatency,
            Communicator = _communicator,
            Monitor = _monitor,
            CheckpointFolder = _checkpointFolder,
        };
    }
}
