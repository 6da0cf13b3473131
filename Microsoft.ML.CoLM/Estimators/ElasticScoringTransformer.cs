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
/// | `ChainsUsed` | Int32 | Only with a cascade: the chain count that the row's scores are of. |
/// ]]></format>
/// With <see cref="ScoringTask.Features"/>, instead of these:
/// <format type="text/markdown"><![CDATA[
/// | Column | Type | Description |
/// | -- | -- | -- |
/// | `Features` | Vector of Single, of size D_1 + ... + D_k | Normalised features, pooled over the text's tokens. |
/// ]]></format>
/// They are what the head would read; an empty text has zeros. The vector at k chains is the beginning of that at more.
/// The columns of a tuned task are <see cref="ChainTuningEstimator"/>'s.
/// <para>
/// Texts longer than the model's context are scored in windows that advance by half a context, each token once, with
/// as much of its past as the window holds. A vector's tokens, too, are each taken from the first window that they are
/// in, so a mean weighs windows by the tokens that are new in them, and the last token is the last window's. Rows are
/// scored in batches; a row's scores do not depend on the rows beside it, beyond rounding.
/// </para>
/// <para>
/// In a cascade (<see cref="CascadeOptions"/>) the mean loss over all of a row's windows decides where it stops, and
/// their features are kept until then. Those of rows that are scored together take at most as much memory as the
/// model's weights, or 256 MiB where that is more; a text that needs more by itself is scored anew at every count.
/// </para>
/// <para>
/// Transformers made by <see cref="WithChainCount"/> share the weights, which are freed when the last of them is
/// disposed. Safe for several threads. A PredictionEngine is not, and when it is disposed it disposes its transformer,
/// unless <see cref="PredictionEngineOptions.OwnsTransformer"/> is false: a service shares engines by
/// <see cref="CoLMCatalog.CreatePredictionEnginePool"/>.
/// </para>
/// <para>
/// ML.NET's <c>Model.Save</c> overwrites a zip in place, so that a full disk leaves neither the old one nor the new:
/// save under another name and rename, as <c>samples/QuickStart</c> does.
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
        settings.Task.CheckFits(shared.Model.Config);
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
        var model = ModelEntries.Load(_host, context);
        try
        {
            Settings = ScoringSettings.Load(_host, context, model);
            Settings.Task.CheckFits(model.Config);
            Tokenizer = model.CreateTokenizer();
        }
        catch
        {
            Settings?.Task.Head?.Dispose();
            model.Dispose();
            throw;
        }
        _shared = new SharedModel(model, isOwned: true, Settings.Task.Head).Acquire();
    }

    /// <summary>The model; shared by all transformers made from this one.</summary>
    public CoLMModel Model => _shared.Model;

    /// <summary>How many chains are scored with; in a cascade, the most that a row may use.</summary>
    public int ChainCount => Settings.Task.ChainCount;

    /// <summary>The model's tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>What the training did that made this transformer; null where it was not trained here.</summary>
    public TrainingSummary? Training { get; }

    internal ScoringSettings Settings { get; }

    bool ITransformer.IsRowToRowMapper => true;

    /// <summary>
    /// The same model and task at another chain count, for every row: a cascade ends with it, and a vector of features
    /// has another size. The weights are shared, not copied.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="chainCount"/> is 0 or above the model's.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    public ElasticScoringTransformer WithChainCount(int chainCount)
    {
        return With(Settings.Task.WithChainCount(chainCount), Settings.BatchSize);
    }

    /// <summary>
    /// The same model and task as a cascade: rows begin with few chains, and only those that are not clear go on. The
    /// weights are shared, not copied.
    /// </summary>
    /// <param name="cascade">Where rows stop; a column <c>ChainsUsed</c> tells where each did.</param>
    /// <exception cref="ArgumentException">The cascade is none, or does not fit the model; the message names the option.</exception>
    /// <exception cref="NotSupportedException">The task has nothing to stop at: features, numbers, completions.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    public ElasticScoringTransformer WithCascade(CascadeOptions cascade)
    {
        ArgumentNullException.ThrowIfNull(cascade);
        var copy = cascade.Copy();
        copy.Check();
        return With(Settings.Task.WithCascade(copy.ToCascade()), Settings.BatchSize);
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
        DisposedTransformer.ThrowIf(_disposed);
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
        DisposedTransformer.ThrowIf(_disposed);
        return new RowToRowMapperTransform(
            _host, new EmptyDataView(_host, inputSchema), CreateRowMapper(inputSchema), CreateRowMapper);
    }

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        _host.CheckValue(ctx, nameof(ctx));
        CheckUsable();
        ctx.CheckAtModel();
        ctx.SetVersionInfo(CreateVersionInfo());

        // *** Binary format ***
        // what ModelEntries writes
        // what ScoringSettings writes
        ModelEntries.Save(ctx, Model);
        Settings.Save(_host, ctx);
    }

    /// <summary>The same model with another task.</summary>
    internal ElasticScoringTransformer With(IScoringTask task, int batchSize)
    {
        DisposedTransformer.ThrowIf(_disposed);
        return new(_host, _shared, Settings with { Task = task, BatchSize = batchSize }, Tokenizer, Training);
    }

    internal void CheckUsable()
    {
        DisposedTransformer.ThrowIf(_disposed);
        Model.CheckUsable();
    }

    internal DataViewSchema.DetachedColumn[] OutputColumns() => Settings.Task.OutputColumns(Model.Config);

    internal Delegate[] CreateGetters(ITextBatches texts, ScoringChannel channel)
    {
        DisposedTransformer.ThrowIf(_disposed);
        return Settings.Task.CreateGetters(new(Model, Tokenizer, texts, Settings.Columns, channel));
    }

    internal ScoringChannel CreateChannel(bool hasEnd) => new(_host, () => DisposedTransformer.ThrowIf(_disposed), hasEnd);

    private static VersionInfo CreateVersionInfo() => new(
        modelSignature: "COLMELST",
        verWrittenCur: 0x00010002,
        verReadableCur: 0x00010002,
        verWeCanReadBack: 0x00010002,
        loaderSignature: LoaderSignature,
        loaderAssemblyName: typeof(ElasticScoringTransformer).Assembly.FullName);

    private ScoringRowMapper CreateRowMapper(DataViewSchema inputSchema) => new(this, inputSchema);
}
