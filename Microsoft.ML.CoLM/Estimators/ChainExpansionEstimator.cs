using System.Globalization;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.CoLM.Training;
using Microsoft.ML.Runtime;
using Microsoft.ML.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

/// <summary>
/// Adds chains to a language model and trains them on text, leaving the earlier chains, and so what the model computes with
/// them, exactly as they are (Chain Expansion, paper section 4.2). Also trains a model from scratch.
/// </summary>
/// <remarks>
/// Each non-empty row is a document. Documents are concatenated, each after its beginning-of-text token, and cut into windows
/// of <see cref="TrainingOptions.SequenceLength"/> tokens that are shuffled by the seed. They are spooled to a temporary file,
/// so the data may be larger than memory. Existing chains are frozen and run without gradients. Messages go to the host's
/// channel.
/// </remarks>
/// <example>
/// <code>
/// // A LLaMA grows by a chain of 8 attention heads, whose weights alone are trained.
/// var options = new ChainExpansionEstimator.Options
/// {
///     ModelFolder = "llama-folder",
///     AddedChains = [8],
///     ValidationSet = validation,
///     MaxSteps = 1000,
/// };
/// using var grown = mlContext.Transforms.ChainExpansion(options).Fit(train);
/// Console.WriteLine(grown.Training);
///
/// // With its first chain it is the LLaMA still, to the bit.
/// using var llama = grown.WithChainCount(1);
/// </code>
/// </example>
public sealed partial class ChainExpansionEstimator : IEstimator<ElasticScoringTransformer>, IStoppableEstimator
{
    private readonly IHost _host;
    private readonly Options _options;

    internal ChainExpansionEstimator(IHostEnvironment environment, Options options)
    {
        _host = environment.Register(nameof(ChainExpansionEstimator));
        _host.CheckValue(options, nameof(options));
        options.Check();
        _options = options.Copy();
        CheckAddedChains();
    }

    /// <summary>Grows the model and trains the new chains.</summary>
    /// <param name="input">Data with the text column.</param>
    /// <returns>The trained model, set to score with all its chains; the caller disposes it.</returns>
    /// <exception cref="ArgumentException">
    /// The text column is missing, is not text or has no text in any row; the same for the validation set; the layout does not
    /// fit the model; or the checkpoint to resume from belongs to another training run.
    /// </exception>
    /// <exception cref="IOException">
    /// The model's folder or a file in it is missing, or the checkpoint folder is not writable.
    /// </exception>
    /// <exception cref="InvalidDataException">
    /// A file of the model's folder is invalid or not supported, or all checkpoints to resume from are damaged.
    /// </exception>
    /// <exception cref="NonFiniteLossException">The loss became NaN or infinite.</exception>
    /// <exception cref="OperationCanceledException">
    /// The options' token was cancelled before training began, or the MLContext's execution was cancelled at any time.
    /// </exception>
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
        var text = new TextColumns(_options.TextColumnName);
        _ = text.In(input.Schema);
        if (_options.ValidationSet is { } validation)
            _ = text.In(validation.Schema, DataRole.ValidationSet);

        // Ends inference mode as well as no_grad, whichever the caller is in.
        TorchLibrary.EnsureLoaded();
        using var gradients = inference_mode(false);
        using var channel = _host.Start("Chain expansion");
        var messages = new TrainingChannel(_host, channel, _options, ranks);
        messages.Begin();
        using var checkpoints = TrainingCheckpoints.Open(_options, channel, ranks);
        using var products = messages.UseProducts(checkpoints?.Products);
        var seed = ranks.Seed(_options.Seed ?? HostSettings.SeedOf(_host), () => checkpoints?.Seed ?? Random.Shared.Next());
        var (model, frozenChains) = CreateModel(seed);
        try
        {
            var tokenizer = model.CreateTokenizer(_options.ParseSpecialTokens);
            var summary = Train(model, frozenChains, tokenizer, input, seed, checkpoints, messages);
            return new(_host, new SharedModel(model, isOwned: true), Settings(model.Config.ChainCount), tokenizer,
                summary);
        }
        catch (Exception e)
        {
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
    /// <exception cref="ArgumentException">The text column is missing, or is not text.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        _host.CheckValue(inputSchema, nameof(inputSchema));
        return ScoringSettings.OutputShape(inputSchema, new TextColumns(_options.TextColumnName),
            LanguageModelRowScorer.Default(chainCount: 1).OutputColumns(config: null));
    }

    // The folder may be filled before the estimator is fitted, which checks again.
    private void CheckAddedChains()
    {
        var config = _options.Model?.Config ?? (_options.ModelFolder is { } folder ? ModelFolder.TryReadConfig(folder) : null);
        if (config is null || (config.ChainCount > 1 && config.KvSharing != _options.KvSharing))
            return;
        AddedChains.Check(
            config, _options.AddedChains, _options.KvSharing, _options.Initialization, nameof(Options.AddedChains));
    }

    private (CoLMModel Model, int FrozenChains) CreateModel(int seed)
    {
        var device = HostSettings.DeviceOf(_host);
        if (_options.Architecture is { } architecture)
            return (CreateFresh(architecture, seed, device), 0);

        var given = _options.Model;
        var start = given ?? CoLMModel.Load(_options.ModelFolder!, device: device, dtype: _options.DataType);
        try
        {
            if (given is null)
            {
                LoadWarnings.Report(_host, start);
                start.TokenizerFiles ??= TokenizerFiles.Read(_options.ModelFolder!);
            }
            var grown = start.Expand(_options.AddedChains, _options.KvSharing, seed, _options.Initialization);
            if (given is not null)
                grown.to(_options.DataType).to(device);
            return (grown, start.Config.ChainCount);
        }
        finally
        {
            if (given is null)
                start.Dispose();
        }
    }

    private CoLMModel CreateFresh(CoLMConfig architecture, int seed, Device device)
    {
        var files = _options.TokenizerFolder is { } folder ? TokenizerFiles.Read(folder) : ByteTokenizer.CreateFiles();
        if (_options.TokenizerFolder is null)
        {
            if (architecture.VocabularySize < ByteTokenizer.VocabularySize)
            {
                throw new ArgumentException($"{nameof(CoLMConfig.VocabularySize)} must be at least " +
                    $"{ByteTokenizer.VocabularySize} for the byte tokenizer, found {architecture.VocabularySize}.");
            }
            architecture = architecture with
            {
                BosTokenId = ByteTokenizer.BeginningOfTextId,
                EosTokenIds = [ByteTokenizer.EndOfTextId],
            };
        }
        var model = CoLMModel.Create(architecture.Validated(), seed, device, _options.DataType);
        model.TokenizerFiles = files;
        return model;
    }

    private TrainingSummary Train(
        CoLMModel model, int frozenChains, Tokenizer tokenizer, IDataView input, int seed,
        TrainingCheckpoints? checkpoints, TrainingChannel channel)
    {
        using var corpus = channel.Read(() => Corpus.Read(
            input, _options.ValidationSet, new TextColumns(_options.TextColumnName), model, tokenizer, channel));
        if (corpus is null)
            return channel.Ended(new() { Cancelled = true, Loss = double.NaN });
        if (_options.SequenceLength > model.Config.ContextLength)
        {
            throw new ArgumentException($"{nameof(Options.SequenceLength)} must be at most the model's context of " +
                $"{model.Config.ContextLength} tokens, found {_options.SequenceLength}.");
        }

        var windows = new TokenWindows(corpus.Spool, _options.SequenceLength, seed);
        var scaleWeights = ScaleWeights(model, frozenChains);
        var objective = new LanguageModelObjective(model, frozenChains, windows, _options.BatchSize, scaleWeights);
        var trained = model.named_parameters().Where(entry => entry.parameter.requires_grad).ToArray();
        checkpoints?.Identify(seed, model, trained, corpus.AddTo);
        channel.Info(Announcement(trained.Sum(entry => entry.parameter.numel()),
            model.ParameterCount(model.ChainCount), corpus.Spool.TokenCount, windows));
        channel.WarnOfIdleRanks();
        var trainer = new Trainer(
            _options, corpus.Validator(model, scaleWeights, channel), channel.Asked, channel.Report, checkpoints, channel.Ranks);
        return channel.Ended(trainer.Train(objective, [.. trained.Select(entry => entry.parameter)]));
    }

    private static string Announcement(long trained, long parameters, long tokens, TokenWindows windows) =>
        string.Create(CultureInfo.InvariantCulture, $"Training {trained:N0} of {parameters:N0} parameters on " +
            $"{tokens:N0} tokens, {windows.Count:N0} windows of {windows.Length}.");

    private double[] ScaleWeights(CoLMModel model, int frozenChains)
    {
        var count = model.Config.ChainCount;
        if (_options.ScaleWeights is { } given && given.Count != count)
        {
            throw new ArgumentException($"{nameof(Options.ScaleWeights)} must have a weight for each of the model's " +
                $"{count} chains, found {given.Count}.");
        }
        double[] weights = [.. Enumerable.Range(frozenChains, count - frozenChains).Select(scale =>
            _options.Objective == TrainingObjective.MultiChain ? _options.ScaleWeights?[scale] ?? 1
                : scale == count - 1 ? 1 : 0)];
        if (weights.Sum() == 0)
            throw new ArgumentException($"{nameof(Options.ScaleWeights)} are 0 for every scale that is trained.");
        return weights;
    }

    private ScoringSettings Settings(int chainCount) => new(new TextColumns(_options.TextColumnName),
        new ElasticScoringEstimator.Options().BatchSize, LanguageModelRowScorer.Default(chainCount),
        ParsesSpecialTokens: _options.ParseSpecialTokens);
}
