using System.Globalization;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Training;
using Microsoft.ML.Runtime;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

/// <summary>
/// Tunes a model's later chains for a task and leaves the first ones, and so the model at their chain count, exactly as they
/// are (Chain Tuning, paper section 4.4).
/// </summary>
/// <remarks>
/// <format type="text/markdown"><![CDATA[
/// | Label column | Output columns | Evaluate with |
/// | -- | -- | -- |
/// | Key | `PredictedLabel` (key of the same values), `Score` (vector of probabilities, slots named by the values) | `MulticlassClassification` |
/// | Boolean | `PredictedLabel` (Boolean), `Score` (Single, log-odds), `Probability` (Single) | `BinaryClassification` |
/// | Single | `Score` (Single) | `Regression` |
/// | none: prompt and response | `LogProbability` (Single), `TokenCount` (Int32), `Perplexity` (Single) of the response | |
/// | none: text, language heads alone | as elastic scoring | |
/// ]]></format>
/// A label is predicted from a text's normalised features, the last token's or their mean (<see cref="Options.Pooling"/>), by a
/// head that is nested like the language head: scale k uses its first D_1 + ... + D_k columns. All scales from the frozen
/// prefix upward are trained together (multi-chain cross-entropy), so the transformer predicts at any of these chain counts;
/// with <see cref="TrainingObjective.LastScale"/>, only at the last one. Texts longer than
/// <see cref="TrainingOptions.SequenceLength"/> or the model's context are truncated at the end, here, with a warning, and in
/// the transformer. Numeric labels are standardized to mean 0 and deviation 1 for training.
/// <para>
/// Rows are kept in memory as token ids and batched with others of similar length. With frozen chains, their features are
/// cached for later epochs. With <see cref="LoraOptions"/> the weights stay as they are, and adapters on the tuned chains are
/// trained: the model is then not copied at all, so several tasks share its weights. Tasks loaded from separate zips share them
/// after <see cref="CoLMModel.ShareWeights"/>.
/// </para>
/// </remarks>
/// <example>
/// <code>
/// // The last chain learns a key column; all before it stay as they are.
/// var options = new ChainTuningEstimator.Options
/// {
///     Transformer = model,
///     TextColumnName = "Sentence",
///     ValidationSet = validation,
///     LearningRate = 2e-4,
/// };
/// var pipeline = mlContext.Transforms.Conversion.MapValueToKey("Label")
///     .Append(mlContext.Transforms.ChainTuning(options));
/// var tuned = pipeline.Fit(train);
/// var metrics = mlContext.MulticlassClassification.Evaluate(tuned.Transform(test));
/// Console.WriteLine(metrics.MicroAccuracy);
/// </code>
/// </example>
public sealed partial class ChainTuningEstimator : IEstimator<ElasticScoringTransformer>, IStoppableEstimator
{
    private readonly IHost _host;
    private readonly Options _options;
    private readonly TuningData _data;

    internal ChainTuningEstimator(IHostEnvironment environment, Options options)
    {
        _host = environment.Register(nameof(ChainTuningEstimator));
        _host.CheckValue(options, nameof(options));
        options.Check();
        _options = options.Copy();
        CheckAddedChains();
        _data = _options.Task switch
        {
            TuningTask.Completion => new CompletionTuningData(_options),
            TuningTask.LanguageHeads => new LanguageHeadTuningData(_options),
            _ => new LabelTuningData(_options),
        };
    }

    /// <summary>Tunes the later chains.</summary>
    /// <param name="input">Data with the task's columns.</param>
    /// <returns>The tuned model, set to score with all its chains; the caller disposes it.</returns>
    /// <exception cref="ArgumentException">
    /// A column is missing or has a type that fits no task; there is only one class, or the validation set has one that no
    /// training row has; no row is left; an option does not fit the model; the checkpoint to resume from belongs to another
    /// training run; or the model is in Float16. The message names it.
    /// </exception>
    /// <exception cref="IOException">The checkpoint folder is not writable.</exception>
    /// <exception cref="InvalidDataException">All checkpoints to resume from are damaged.</exception>
    /// <exception cref="NonFiniteLossException">The loss became NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">
    /// The options' token was cancelled before all rows were read, or the MLContext's execution was cancelled at any time.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The transformer to tune was disposed.</exception>
    /// <remarks>
    /// Trains even if the caller has disabled gradients (<c>torch.no_grad</c>, <c>torch.inference_mode</c>).
    /// </remarks>
    public ElasticScoringTransformer Fit(IDataView input)
    {
        _host.CheckValue(input, nameof(input));
        var ranks = new TrainingRanks(_options.Communicator);
        return ranks.Run(() => Fit(input, ranks));
    }

    private ElasticScoringTransformer Fit(IDataView input, TrainingRanks ranks)
    {
        _data.CheckColumns(input.Schema, _options.ValidationSet?.Schema);
        _options.Transformer!.CheckUsable();
        var source = _options.Transformer.Model;
        if (source.DataType == ScalarType.Float16)
        {
            throw new ArgumentException($"The model of {nameof(Options.Transformer)} must be in {ScalarType.Float32} or " +
                $"{ScalarType.BFloat16} to be tuned, found {source.DataType}: load it with " +
                $"{nameof(ElasticScoringEstimator)}.{nameof(Options)}.{nameof(ElasticScoringEstimator.Options.DataType)}.");
        }

        // Ends inference mode as well as no_grad, whichever the caller is in.
        TorchLibrary.EnsureLoaded();
        using var gradients = inference_mode(false);
        using var channel = _host.Start("Chain tuning");
        var messages = new TrainingChannel(_host, channel, _options, ranks);
        messages.Begin();
        using var checkpoints = TrainingCheckpoints.Open(_options, channel, ranks);
        using var products = messages.UseProducts(checkpoints?.Products);
        var seed = ranks.Seed(_options.Seed ?? HostSettings.SeedOf(_host), () => checkpoints?.Seed ?? Random.Shared.Next());
        var (model, frozenChains) = CreateModel(source, seed);
        ChainHead? head = null;
        try
        {
            var tokenizer = _options.ParsesSpecialTokens == _options.Transformer.Settings.ParsesSpecialTokens
                ? _options.Transformer.Tokenizer : source.CreateTokenizer(_options.ParsesSpecialTokens);
            var setting = new TuningSetting(model, frozenChains, tokenizer, input, _options, seed, messages);
            using var run = messages.ReadAll(() => _data.Read(setting));
            head = run.Head;
            var summary = Train(run, model, seed, checkpoints, messages);
            if (_options.Lora is { MergeIntoWeights: true })
            {
                using var adapted = model;
                model = adapted.MergeAdapters();
            }
            var settings = new ScoringSettings(
                _data.Columns, new ElasticScoringEstimator.Options().BatchSize, run.Scorer,
                ParsesSpecialTokens: _options.ParsesSpecialTokens);
            model.Task = TaskSettings.Keep(settings);
            return new(_host, new SharedModel(model, isOwned: true), settings, tokenizer, summary);
        }
        catch (Exception e)
        {
            head?.Dispose();
            model.Dispose();
            if (e is NonFiniteLossException)
                channel.Error(e.Message);
            throw;
        }
    }

    CancellationToken IStoppableEstimator.StopToken
    {
        set => _options.StopToken = value;
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A column is missing, or has a type that fits no task.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        _host.CheckValue(inputSchema, nameof(inputSchema));
        return _data.OutputShape(inputSchema);
    }

    private void CheckAddedChains()
    {
        if (_options is not { Task: not TuningTask.LanguageHeads, AddedChains: { } added })
            return;
        var config = _options.Transformer!.Model.Config;
        AddedChains.Check(config, added, KvSharing(config), _options.Initialization, nameof(Options.AddedChains));
    }

    private (CoLMModel Model, int FrozenChains) CreateModel(CoLMModel source, int seed)
    {
        using var merged = source.Adapters is null ? null : source.MergeAdapters();
        var start = merged ?? source;
        if (_options.Task == TuningTask.LanguageHeads)
        {
            CheckAreNumbers(start.Config, firstChain: 0, $"{nameof(Options.Task)} {TuningTask.LanguageHeads} trains the heads of all chains");
            return (CreateForHeads(start), start.Config.ChainCount);
        }

        var added = _options.ChainsToAdd(start.Config);
        if (added.Length == 0 && _options.Initialization != ChainInitialization.Normal)
        {
            throw new ArgumentException($"{nameof(Options.Initialization)} {_options.Initialization} is of added chains, " +
                $"but {nameof(Options.AddedChains)} names none for the model's {{{start.Config.Layout}}}.");
        }
        using var grown = added.Length == 0 ? null
            : start.Expand(added, KvSharing(start.Config), seed, _options.Initialization);
        start = grown ?? start;
        var chains = start.Config.ChainCount;
        var frozenChains = _options.FrozenChains ?? chains - 1;
        if (frozenChains >= chains)
        {
            throw new ArgumentException($"{nameof(Options.FrozenChains)} must be below the model's {chains} chains " +
                $"({{{start.Config.Layout}}}) unless {nameof(Options.Task)} is {TuningTask.LanguageHeads}, found " +
                FormattableString.Invariant($"{frozenChains}."));
        }
        if (_options.Lora is null)
        {
            CheckAreNumbers(start.Config, frozenChains, FormattableString.Invariant($"{nameof(Options.FrozenChains)} is {frozenChains}; ") +
                $"set {nameof(Options.Lora)}, freeze the chain, or add chains with {nameof(Options.AddedChains)}");
        }
        _options.Lora?.CheckFits(start, frozenChains);
        if (_options.Lora is not null && _data.TrainsLanguageHeads)
            CheckHeads(start, frozenChains);
        var model = start.Share(_options.Lora is null ? frozenChains : chains);
        if (_options.Lora is { } lora)
        {
            model.Adapters = new LowRankAdapters(model, frozenChains, lora);
            model.Adapters.Initialise(seed);
        }
        if (!_data.TrainsLanguageHeads)
        {
            foreach (var (name, parameter) in model.ChainParameters())
                parameter.requires_grad &= ParameterName.Parse(name).Module != ParameterName.Head;
        }
        return (model, frozenChains);
    }

    private static void CheckAreNumbers(CoLMConfig config, int firstChain, string reason)
    {
        for (var chain = firstChain; chain < config.ChainCount; chain++)
        {
            if (config.WeightFormats[chain] is { } format)
            {
                throw new ArgumentException(FormattableString.Invariant($"Chain {chain + 1} of the model of {nameof(Options.Transformer)} ") +
                    $"is quantised ({format}), and what is quantised cannot be trained: {reason}, or tune the model that it was " +
                    "made from and quantise the result.");
            }
        }
    }

    // An untrained chain's head is zero: through it, the chain would contribute nothing and receive no gradient.
    private static void CheckHeads(CoLMModel model, int frozenChains)
    {
        for (var chain = frozenChains; chain < model.Config.ChainCount; chain++)
        {
            using var noGradients = torch.no_grad();
            using var scope = torch.NewDisposeScope();
            using var isRead = model.Head.HeadWeight(chain).Widened(model.DataType).any();
            if (!isRead.ToBoolean())
            {
                throw new ArgumentException($"{nameof(Options.Lora)} must be left out where {nameof(Options.Task)} is " +
                    $"{TuningTask.Completion} and a chain was not trained yet: adapters cover no language head, and that of " +
                    FormattableString.Invariant($"chain {chain + 1} is all zeros, so that nothing would be learnt."));
            }
        }
    }

    private CoLMModel CreateForHeads(CoLMModel start)
    {
        var chains = start.Config.ChainCount;
        if (_options.FrozenChains is { } frozen && frozen != chains)
        {
            throw new ArgumentException($"{nameof(Options.FrozenChains)} must be all {chains} chains of the model, or left " +
                $"out, where {nameof(Options.Task)} is {TuningTask.LanguageHeads}, found " + FormattableString.Invariant($"{frozen}."));
        }
        return start.ShareAllButHeads();
    }

    private bool KvSharing(CoLMConfig config) => config.ChainCount > 1 ? config.KvSharing : _options.KvSharing;

    private TrainingSummary Train(
        TuningRun run, CoLMModel model, int seed, TrainingCheckpoints? checkpoints, TrainingChannel channel)
    {
        (string name, Parameter parameter)[] ofChains = [.. model.ChainParameters().Where(entry => entry.parameter.requires_grad)];
        (string Name, Parameter Parameter)[] trained =
        [
            .. ofChains,
            .. Named("adapters", model.Adapters),
            .. Named("head", run.Head),
        ];
        checkpoints?.Identify(seed, model, trained, run.AddData);
        channel.Info(string.Create(CultureInfo.InvariantCulture,
            $"Training {trained.Sum(entry => entry.Parameter.numel()):N0} parameters beside " +
            $"{model.ParameterCount(model.ChainCount) - ofChains.Sum(entry => entry.parameter.numel()):N0} " +
            $"frozen ones, {run.BatchesOfEpoch:N0} batches an epoch."));
        var options = _options.Copy();
        options.ValidationInterval ??= Math.Max(1, run.BatchesOfEpoch / options.GradientAccumulationSteps);
        channel.WarnOfIdleRanks();
        var trainer = new Trainer(options, run.Validate, channel.Asked, channel.Report, checkpoints, channel.Ranks);
        HashSet<Parameter> head = [.. run.Head?.parameters() ?? []];
        var headFactor = options.HeadLearningRate / options.LearningRate ?? 1;
        var summary = trainer.Train(run.Objective, [.. trained.Select(entry => entry.Parameter)],
            parameter => head.Contains(parameter) ? headFactor : 1);
        if (run.Resources is FrozenFeatures frozen)
            channel.TellComputed(frozen);
        return channel.Ended(summary);
    }

    private static IEnumerable<(string, Parameter)> Named(string prefix, nn.Module? module) =>
        module?.named_parameters().Select(entry => ($"{prefix}.{entry.name}", entry.parameter)) ?? [];
}
