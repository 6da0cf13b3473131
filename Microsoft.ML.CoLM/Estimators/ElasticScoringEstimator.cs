using System.Diagnostics.CodeAnalysis;
using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM;

/// <summary>Loads a model and scores text with its first chains; see <see cref="ElasticScoringTransformer"/>.</summary>
/// <remarks>Nothing is trained: fitting only checks the data's schema.</remarks>
/// <example>
/// <code>
/// // How probable each text is, by the first chain alone.
/// var options = new ElasticScoringEstimator.Options { ModelFolder = "model-folder", ChainCount = 1, BatchSize = 16 };
/// using var scorer = mlContext.Transforms.ElasticScoring(options).Fit(test);
/// var metrics = mlContext.CoLM().EvaluateLanguageModel(scorer.Transform(test));
/// Console.WriteLine(metrics.Perplexity);
///
/// // The same weights, with two chains.
/// using var better = scorer.WithChainCount(2);
/// </code>
/// </example>
public sealed partial class ElasticScoringEstimator : IEstimator<ElasticScoringTransformer>
{
    private readonly IHost _host;
    private readonly Options _options;

    internal ElasticScoringEstimator(IHostEnvironment environment, Options options)
    {
        _host = environment.Register(nameof(ElasticScoringEstimator));
        _host.CheckValue(options, nameof(options));
        _options = options.Copy();
        _options.Check();
    }

    /// <summary>Loads the model.</summary>
    /// <param name="input">Data with the task's text columns; no row is read.</param>
    /// <exception cref="ArgumentException">
    /// A text column is missing or not text, or the model does not fit, or has NaN or infinite weights.
    /// </exception>
    /// <exception cref="IOException">The model's folder, or a file in it, is missing.</exception>
    /// <exception cref="InvalidDataException">A file of the model's folder is invalid or not supported.</exception>
    /// <exception cref="OperationCanceledException">The MLContext's execution was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The model or transformer to score with was disposed.</exception>
    public ElasticScoringTransformer Fit(IDataView input)
    {
        _host.CheckValue(input, nameof(input));
        _ = ColumnsOf(ReadTask()).In(input.Schema);
        _host.CheckAlive();
        if (_options.Transformer is { } fitted)
            return fitted.With(Settings(fitted.Model, task: null));
        if (_options.Model is { } given)
        {
            using var use = given.Enter();
            FiniteWeights.Check(given);
            return new(_host, new SharedModel(given, isOwned: false), Settings(given, task: null));
        }

        // All chains are loaded, so that WithChainCount can go up again.
        var (folder, device) = (_options.ModelFolder!, HostSettings.DeviceOf(_host));
        var model = _options.Format is { } format
            ? CoLMModel.LoadQuantized(folder, [format], device: device, dtype: _options.DataType)
            : CoLMModel.Load(folder, device: device, dtype: _options.DataType);
        try
        {
            LoadWarnings.Report(_host, model);
            // The model, which loads without a tokenizer, could not read text: say which folder lacks it.
            model.TokenizerFiles ??= TokenizerFiles.Read(_options.ModelFolder!);
            var task = _options.TakesTaskOfFolder && model.Task is { } tuned
                ? TaskSettings.Read(tuned.Settings, TaskPath) : null;
            return new(_host, new SharedModel(model, isOwned: true), Settings(model, task));
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A text column is missing, or is not text.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        _host.CheckValue(inputSchema, nameof(inputSchema));
        var task = ReadTask();
        return ScoringSettings.OutputShape(inputSchema, ColumnsOf(task), HasHead(task) ? [.. task.OutputColumns(), .. ChainsUsed()]
            : _options.CreateScorer(modelChains: 1).OutputColumns(_options.Transformer?.Model.Config));
    }

    private string TaskPath => Path.Combine(_options.ModelFolder!, ModelFiles.TaskHead);

    // Language heads are part of the model: the folder stores only the column for such a tuning.
    private static bool HasHead([NotNullWhen(true)] TaskSettings? task) =>
        task is not null && task.Task != TaskKind.LanguageModeling;

    /// <summary>What the folder's model was tuned for; null if that makes no difference.</summary>
    private TaskSettings? ReadTask() => _options.TakesTaskOfFolder && ModelFolder.ReadTask(_options.ModelFolder!) is { } json
        ? TaskSettings.Read(json, TaskPath) : null;

    private TextColumns ColumnsOf(TaskSettings? task) => task is null ? _options.Columns : _options.ColumnsOf(task);

    private DataViewSchema.DetachedColumn[] ChainsUsed() => _options.Cascade is null
        ? [] : [new(Estimators.DefaultColumnNames.ChainsUsed, NumberDataViewType.Int32)];

    private ScoringSettings Settings(CoLMModel model, TaskSettings? task)
    {
        var tuned = task?.CreateScorer(model.Config, model.Task!.Head, TaskPath);
        return new(ColumnsOf(task), _options.BatchSize,
            HasHead(task) ? _options.WithDepth(tuned!) : _options.CreateScorer(model.Config.ChainCount), _options.Windows,
            _options.ParsesSpecialTokens(task));
    }
}
