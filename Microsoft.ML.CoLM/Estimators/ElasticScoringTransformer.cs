using Microsoft.ML;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Interop;
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
/// | `TokenCount` | Int32 | The number of tokens scored; 0 for an empty text. |
/// | `Perplexity` | Single | exp(-LogProbability / TokenCount); NaN if no token is scored. |
/// | `ChainsUsed` | Int32 | Only with a cascade: the chain count that produced the row's scores. |
/// ]]></format>
/// With <see cref="ScoringTask.Features"/>, instead of these:
/// <format type="text/markdown"><![CDATA[
/// | Column | Type | Description |
/// | -- | -- | -- |
/// | `Features` | Vector of Single, of size D_1 + ... + D_k | Normalised features, pooled over the text's tokens. |
/// ]]></format>
/// These are the head's input; zeros for an empty text. The vector at k chains is the beginning of that at more. Its slots are
/// named, <c>chain2.17</c> for the second chain's feature 17, counted from 0. With <see cref="ScoringTask.MultipleChoice"/>,
/// which reads a column <c>Context</c> (Text or vector of Text) and a column <c>Choices</c> (vector of Text):
/// <format type="text/markdown"><![CDATA[
/// | Column | Type | Description |
/// | -- | -- | -- |
/// | `Score` | Vector of Single | Natural log of each choice's probability given the context, summed over its tokens. |
/// | `NormalizedScore` | Vector of Single | The same per character (code point); negative infinity for an empty choice. |
/// | `PredictedLabel` | Int32 | The index of the highest score, counted from 0; the first if several tie. |
/// | `NormalizedPredictedLabel` | Int32 | The same for the normalised score. |
/// ]]></format>
/// Choices are scored by the rules of EleutherAI's lm-evaluation-harness (commit 4e7e0d4), in float32 whatever the weights'
/// type: each choice is preceded by a space, context and choice are encoded together, and input longer than the model's context
/// is truncated at the start. What a row's choices have in common is computed once.
/// <see cref="CoLMOperations.EvaluateMultipleChoice"/> compares with the answers. A tuned task's columns are listed at
/// <see cref="ChainTuningEstimator"/>.
/// <para>
/// Texts longer than a window (<see cref="ElasticScoringEstimator.Options.Window"/>; by default the model's context) are scored
/// in windows that advance by a stride (<see cref="ElasticScoringEstimator.Options.Stride"/>; by default half a window), each
/// token once, with as much preceding text as the window holds; a stride equal to the window gives the disjoint windows of
/// lm-evaluation-harness. For feature vectors, too, each token is taken from the first window that contains it, so a mean
/// weights windows by their new tokens, and the last token is the last window's. Rows are scored in batches; a row's scores do
/// not depend on the other rows of its batch, beyond rounding.
/// </para>
/// <para>
/// In a cascade (<see cref="CascadeOptions"/>), the mean loss over all of a row's windows decides where it stops, and their
/// features are kept until then. The features of a batch take at most as much memory as the model's weights, or 256 MiB if that
/// is more; a text that needs more by itself is rescored at every count.
/// </para>
/// <para>
/// Transformers created by <see cref="WithChainCount"/> share the weights, which are freed when the last of them is disposed.
/// Thread-safe. A PredictionEngine is not, and it disposes its transformer unless
/// <see cref="PredictionEngineOptions.OwnsTransformer"/> is false; in a service, share engines through
/// <see cref="CoLMCatalog.CreatePredictionEnginePool"/>.
/// </para>
/// <para>
/// A zip stores the SHA-256 of every entry, and loading a damaged one throws an <see cref="InvalidDataException"/>; zips of
/// earlier versions load with a logged warning that they cannot be verified. ML.NET's <c>Model.Save</c> overwrites a zip in
/// place, so a full disk can destroy both the old and the new one; <see cref="CoLMOperations.Save"/> avoids this.
/// </para>
/// </remarks>
public sealed class ElasticScoringTransformer : ITransformer, IDisposable
{
    internal const string UserName = "Elastic scoring with a Chain-of-Language-Model";
    internal const string LoaderSignature = "CoLMElasticScoring";

    private readonly IHost _host;
    private readonly SharedModel _shared;
    private readonly Lifetime _lifetime;

    internal ElasticScoringTransformer(
        IHostEnvironment environment, SharedModel shared, ScoringSettings settings, Tokenizer? tokenizer = null,
        TrainingSummary? training = null)
    {
        settings.CheckFits(shared.Model.Config);
        _host = environment.Register(LoaderSignature);
        (Settings, Training) = (settings, training);
        Tokenizer = tokenizer ?? shared.Model.CreateTokenizer(settings.ParsesSpecialTokens);
        _shared = shared.Acquire();
        _lifetime = new Lifetime(this, _shared.Release, DisposedTransformer.Message);
    }

    // ML.NET's component catalog finds this constructor when it loads a zip.
    private ElasticScoringTransformer(IHostEnvironment environment, ModelLoadContext context)
    {
        _host = environment.Register(LoaderSignature);
        context.CheckAtModel(CreateVersionInfo());
        var zip = new ZipReader(_host, context);
        var model = zip.Checked(() => ModelEntries.Load(_host, zip));
        try
        {
            Settings = zip.Checked(() => ScoringSettings.Load(_host, zip, model));
            Tokenizer = model.CreateTokenizer(Settings.ParsesSpecialTokens);
            zip.CheckEnd();
            LoadWarnings.Report(_host, model);
        }
        catch
        {
            Settings?.Scorer.Head?.Dispose();
            model.Dispose();
            throw;
        }
        if (Settings.Scorer.Kind != TaskKind.LanguageModeling)
            model.Task = TaskSettings.Keep(Settings);
        _shared = new SharedModel(model, isOwned: true).Acquire();
        _lifetime = new Lifetime(this, _shared.Release, DisposedTransformer.Message);
    }

    /// <summary>The model; shared by all transformers created from this one.</summary>
    public CoLMModel Model => _shared.Model;

    /// <summary>Whether the model is owned by its transformers alone.</summary>
    internal bool OwnsModel => _shared.IsOwned;

    /// <summary>The number of chains to score with; in a cascade, the most that a row may use.</summary>
    public int ChainCount => Settings.Scorer.Depth.ChainCount;

    /// <summary>The number of rows scored together; parts of the data that are multiples of it get the scores of the whole.</summary>
    public int BatchSize => Settings.BatchSize;

    /// <summary>The model's tokenizer.</summary>
    public Tokenizer Tokenizer { get; }

    /// <summary>A summary of the training that produced this transformer; null if it was not trained here.</summary>
    public TrainingSummary? Training { get; }

    internal ScoringSettings Settings { get; }

    bool ITransformer.IsRowToRowMapper => true;

    /// <summary>
    /// Returns the same model and task at another chain count for every row; a cascade is replaced, and a feature vector
    /// changes its size. The weights are shared, not copied.
    /// </summary>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="chainCount"/> is 0 or above the model's.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    public ElasticScoringTransformer WithChainCount(int chainCount) => WithDepth(new Depth(chainCount));

    /// <summary>
    /// Returns the same model and task as a cascade: every row starts with few chains, and only uncertain rows continue with
    /// more. The weights are shared, not copied.
    /// </summary>
    /// <param name="cascade">When rows stop; the column <c>ChainsUsed</c> records where each one did.</param>
    /// <exception cref="ArgumentException">
    /// The cascade is invalid or does not fit the model; the message names the option.
    /// </exception>
    /// <exception cref="NotSupportedException">
    /// The task has no stopping criterion: features, numbers, completions, choices.
    /// </exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    public ElasticScoringTransformer WithCascade(CascadeOptions cascade)
    {
        ArgumentNullException.ThrowIfNull(cascade);
        return WithDepth(cascade.ToDepth());
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A text column is missing, or is not text.</exception>
    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema)
    {
        _host.CheckValue(inputSchema, nameof(inputSchema));
        return RowToRowMapperTransform.GetOutputSchema(inputSchema, CreateRowMapper(inputSchema));
    }

    /// <inheritdoc/>
    /// <exception cref="ArgumentException">A text column is missing, or is not text.</exception>
    /// <exception cref="ObjectDisposedException">This transformer was disposed.</exception>
    public IDataView Transform(IDataView input)
    {
        _host.CheckValue(input, nameof(input));
        _lifetime.Check();
        return new ScoringDataView(_host, input, this);
    }

    /// <summary>
    /// Frees the weights, unless another transformer shares them or the caller owns them. A forward pass in progress completes
    /// first; rows not yet scored then throw an <see cref="ObjectDisposedException"/>.
    /// </summary>
    public void Dispose() => _lifetime.Dispose();

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema)
    {
        _host.CheckValue(inputSchema, nameof(inputSchema));
        _lifetime.Check();
        return new RowToRowMapperTransform(
            _host, new EmptyDataView(_host, inputSchema), CreateRowMapper(inputSchema), CreateRowMapper);
    }

    void ICanSaveModel.Save(ModelSaveContext ctx)
    {
        _host.CheckValue(ctx, nameof(ctx));
        using var use = Enter();
        using var modelUse = Model.Enter();
        ctx.CheckAtModel();
        var version = CreateVersionInfo();
        ctx.SetVersionInfo(version);

        // *** Binary format ***
        // what ModelEntries writes
        // what ScoringSettings writes
        // what ZipWriter.Seal writes, from version 0x00010003 on
        var zip = new ZipWriter(ctx, version);
        ModelEntries.Save(zip, Model);
        Settings.Save(_host, zip);
        zip.Seal();
    }

    /// <summary>The same model with other settings.</summary>
    internal ElasticScoringTransformer With(ScoringSettings settings)
    {
        using var use = Enter();
        var tokenizer = settings.ParsesSpecialTokens == Settings.ParsesSpecialTokens ? Tokenizer : null;
        return new(_host, _shared, settings, tokenizer, Training);
    }

    /// <summary>The same model and task at another depth.</summary>
    internal ElasticScoringTransformer WithDepth(Depth depth) =>
        With(Settings with { Scorer = Settings.Scorer.WithDepth(depth) });

    /// <summary>Begins a use: until it is disposed, the weights are not freed.</summary>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    internal Lifetime.Use Enter() => _lifetime.Enter();

    internal void CheckUsable()
    {
        _lifetime.Check();
        Model.CheckUsable();
    }

    internal DataViewSchema.DetachedColumn[] OutputColumns() => Settings.Scorer.OutputColumns(Model.Config);

    internal Delegate[] CreateGetters(IRowSource source, ScoringChannel channel)
    {
        _lifetime.Check();
        return Settings.Scorer.CreateGetters(new(Model, Tokenizer, source, Settings.Columns, Settings.Windows, channel));
    }

    internal ScoringChannel CreateChannel(bool hasEnd) => new(_host, _lifetime.Check, hasEnd);

    private static VersionInfo CreateVersionInfo() => new(
        modelSignature: "COLMELST",
        verWrittenCur: ZipReader.FirstSealed,
        verReadableCur: ZipReader.FirstSealed,
        verWeCanReadBack: 0x00010002,
        loaderSignature: LoaderSignature,
        loaderAssemblyName: typeof(ElasticScoringTransformer).Assembly.FullName);

    private ScoringRowMapper CreateRowMapper(DataViewSchema inputSchema) => new(this, inputSchema);
}
