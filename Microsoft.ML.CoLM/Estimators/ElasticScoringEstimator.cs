using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM;

/// <summary>Loads a model and scores text with its first chains; see <see cref="ElasticScoringTransformer"/>.</summary>
/// <remarks>Nothing is trained: fitting looks at the data's schema alone.</remarks>
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
    /// A text column is missing or not text, or the model does not fit, or has weights that are NaN or infinite.
    /// </exception>
    /// <exception cref="IOException">The model's folder, or a file in it, is missing.</exception>
    /// <exception cref="InvalidDataException">A file of the model's folder is broken or not supported.</exception>
    /// <exception cref="OperationCanceledException">The MLContext's execution was cancelled.</exception>
    /// <exception cref="ObjectDisposedException">The model or transformer to score with was disposed.</exception>
    public ElasticScoringTransformer Fit(IDataView input)
    {
        _host.CheckValue(input, nameof(input));
        _ = Columns.In(input.Schema);
        _host.CheckAlive();
        if (_options.Transformer is { } fitted)
            return fitted.With(Settings(fitted.Model.Config.ChainCount));
        if (_options.Model is { } given)
        {
            using var use = given.Enter();
            FiniteWeights.Check(given);
            return Create(given, isOwned: false);
        }

        // All chains are loaded, so that WithChainCount can go up again.
        var model = CoLMModel.Load(_options.ModelFolder!, device: HostSettings.DeviceOf(_host), dtype: _options.DataType);
        try
        {
            LoadWarnings.Report(_host, model);
            // The model that loads without one could not read a text: say which folder lacks it.
            model.TokenizerFiles ??= TokenizerFiles.Read(_options.ModelFolder!);
            return Create(model, isOwned: true);
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
        return ScoringSettings.OutputShape(inputSchema, Columns,
            _options.CreateTask(modelChains: 1).OutputColumns(_options.Transformer?.Model.Config));
    }

    private TextColumns Columns => _options.Columns;

    private ElasticScoringTransformer Create(CoLMModel model, bool isOwned) => new(
        _host, new SharedModel(model, isOwned), Settings(model.Config.Layout.ChainCount));

    private ScoringSettings Settings(int modelChains) =>
        new(Columns, _options.BatchSize, _options.CreateTask(modelChains), _options.Windows);
}
