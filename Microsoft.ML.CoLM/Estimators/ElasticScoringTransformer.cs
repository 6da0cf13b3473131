using Microsoft.ML;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Tokenizers;

[assembly: LoadableClass(typeof(ElasticScoringTransformer), null, typeof(SignatureLoadModel),
    ElasticScoringTransformer.UserName, ElasticScoringTransformer.LoaderSignature)]

namespace Microsoft.ML.CoLM;

/// <summary>Scores text with the first chains of a model (the paper's elastic inference).</summary>
/// <remarks>
/// <format type="text/markdown"><![CDATA[
/// | Column | Type | Description |
/// | -- | -- | -- |
/// | `LogProbability` | Single | Natural log of the text's probability, summed over every token after the first. |
/// | `TokenCount` | Int32 | Tokens scored. An empty text scores none. |
/// | `Perplexity` | Single | exp(-LogProbability / TokenCount); NaN where no token is scored. |
/// ]]></format>
/// Texts longer than the model's context are scored in windows that advance by half a context, each token once, with
/// as much of its past as the window holds. Rows are scored in batches; a row's scores do not depend on the rows
/// beside it, beyond rounding. Transformers made by <see cref="WithChainCount"/> share the weights, which are freed
/// when the last of them is disposed. Safe for several threads.
/// <para>
/// ML.NET's <c>Model.Save</c> overwrites a zip in place, so that a full disk leaves neither the old one nor the new: save
/// under another name and rename, as <c>samples/QuickStart</c> does.
/// </para>
/// </remarks>
public sealed class ElasticScoringTransformer : ITransformer, IDisposable
{
    internal const string UserName = "Elastic scoring with a Chain-of-Language-Model";
    internal const string LoaderSignature = "CoLMElasticScoring";

    private readonly IHost _host;
    private readonly SharedModel _shared;
    private bool _disposed;

    internal ElasticScoringTransformer(
        IHostEnvironment environment, SharedModel shared, ScoringSettings settings, Tokenizer? tokenizer = null,
        TrainingSummary? training = null)
    {
        shared.Model.Config.Layout.CheckChainCount(settings.ChainCount);
        _host = environment.Register(LoaderSignature);
        (Settings, Training) = (settings, training);
        Tokenizer = tokenizer ?? shared.Model.CreateTokenizer();
        _shared = shared.Acquire();
    }

    // ML.NET's component catalog finds this constructor when it loads a zip.
    private ElasticScoringTransformer(IHostEnvironment environment, ModelLoadContext context)
    {
        _host = environment.Register(LoaderSignature);
        context.CheckAtModel(CreateVersionInfo());
        Settings = new ScoringSettings(
            ChainCount: context.Reader.ReadInt32(),
            TextColumnName: context.LoadNonEmptyString(),
            LogProbabilityColumnName: context.LoadNonEmptyString(),
            TokenCountColumnName: context.LoadNonEmptyString(),
            PerplexityColumnName: context.LoadNonEmptyString(),
            BatchSize: context.Reader.ReadInt32());
        if (Settings.BatchSize is < 1 or > ElasticScoringEstimator.Options.MaximumBatchSize)
        {
            throw new InvalidDataException("The zip's batch size must be between 1 and " +
                $"{ElasticScoringEstimator.Options.MaximumBatchSize}, found {Settings.BatchSize}.");
        }
        var model = ModelEntries.Load(_host, context);
        try
        {
            model.Config.Layout.CheckChainCount(Settings.ChainCount);
            Tokenizer = model.CreateTokenizer();
        }
        catch
        {
            model.Dispose();
            throw;
        }
        _shared = new SharedModel(model, isOwned: true).Acquire();
    }

    /// <summary>The model; shared by all transformers made from this one.</summary>
    public CoLMModel Model => _shared.Model;

    /// <summary>How many chains are scored with.</summary>
    public int ChainCount => Settings.ChainCount;

    /// <summary>The model's tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>What the training did that made this transformer; null where it was not trained here.</summary>
    public TrainingSummary? Training { get; }

    internal ScoringSettings Settings { get; }

    bool ITransformer.IsRowToRowMapper => true;

    /// <summary>The same model at another chain count; the weights are shared, not copied.</summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="chainCount"/> is 0 or above the model's.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    public ElasticScoringTransformer WithChainCount(int chainCount)
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new(_host, _shared, Settings with { ChainCount = chainCount }, Tokenizer, Training);
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The text column is missing, or is not text.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema)
    {
        _host.CheckValue(inputSchema, nameof(inputSchema));
        return RowToRowMapperTransform.GetOutputSchema(inputSchema, CreateRowMapper(inputSchema));
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">The text column is missing, or is not text.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    public IDataView Transform(IDataView input)
    {
        _host.CheckValue(input, nameof(input));
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new ScoringDataView(_host, input, this);
    }

    /// <summary>Frees the weights, unless another transformer shares them or they belong to the caller.</summary>
    public void Dispose()
    {
        if (_disposed)
            return;
        _disposed = true;
        _shared.Release();
    }

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema)
    {
        _host.CheckValue(inputSchema, nameof(inputSchema));
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new RowToRowMapperTransform(
            _host, new EmptyDataView(_host, inputSchema), CreateRowMapper(inputSchema), CreateRowMapper);
    }

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        _host.CheckValue(ctx, nameof(ctx));
        ObjectDisposedException.ThrowIf(_disposed, this);
        Model.CheckUsable();
        ctx.CheckAtModel();
        ctx.SetVersionInfo(CreateVersionInfo());

        // *** Binary format ***
        // int: chain count
        // string: text column, then the log-probability, token count and perplexity columns
        // int: batch size
        // what ModelEntries writes
        ctx.Writer.Write(Settings.ChainCount);
        ctx.SaveNonEmptyString(Settings.TextColumnName);
        ctx.SaveNonEmptyString(Settings.LogProbabilityColumnName);
        ctx.SaveNonEmptyString(Settings.TokenCountColumnName);
        ctx.SaveNonEmptyString(Settings.PerplexityColumnName);
        ctx.Writer.Write(Settings.BatchSize);
        ModelEntries.Save(ctx, Model);
    }

    internal TextScorer CreateScorer()
    {
        ObjectDisposedException.ThrowIf(_disposed, this);
        return new(Model, Tokenizer, ChainCount, Settings.TextColumnName);
    }

    private static VersionInfo CreateVersionInfo() => new(
        modelSignature: "COLMELST",
        verWrittenCur: 0x00010001,
        verReadableCur: 0x00010001,
        verWeCanReadBack: 0x00010001,
        loaderSignature: LoaderSignature,
        loaderAssemblyName: typeof(ElasticScoringTransformer).Assembly.FullName);

    private ScoringRowMapper CreateRowMapper(DataViewSchema inputSchema) => new(this, inputSchema);
}
