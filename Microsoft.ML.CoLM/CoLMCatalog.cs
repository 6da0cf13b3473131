using System.Runtime.CompilerServices;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>Chain-of-Model language models as components of <see cref="MLContext"/>.</summary>
public static class CoLMCatalog
{
    /// <summary>
    /// Grows a language model by further chains and trains them on text; see <see cref="ChainExpansionEstimator"/>.
    /// </summary>
    /// <param name="catalog">The transforms catalog.</param>
    /// <param name="modelFolder">A LLaMA or CoLM folder in Hugging Face's layout.</param>
    /// <param name="addedChains">Attention heads of each new chain.</param>
    /// <param name="kvSharing">Whether all chains share the first one's keys and values (CoLM-Air).</param>
    /// <param name="textColumnName">The column of text to train on, and to score.</param>
    /// <exception cref="ArgumentException">An argument is empty.</exception>
    public static ChainExpansionEstimator ChainExpansion(
        this TransformsCatalog catalog, string modelFolder, int[] addedChains, bool kvSharing = true,
        string textColumnName = "Text")
    {
        GivenFolder.CheckIsNamed(modelFolder, nameof(modelFolder));
        return ChainExpansion(catalog, new ChainExpansionEstimator.Options
        {
            ModelFolder = modelFolder,
            AddedChains = addedChains,
            KvSharing = kvSharing,
            TextColumnName = textColumnName,
        });
    }

    /// <summary>
    /// Grows a language model by further chains, or trains one from nothing; see <see cref="ChainExpansionEstimator"/>.
    /// </summary>
    /// <param name="catalog">The transforms catalog.</param>
    /// <param name="options">What to grow, and how to train it.</param>
    /// <exception cref="ArgumentException">An option is out of range; the message names it.</exception>
    public static ChainExpansionEstimator ChainExpansion(
        this TransformsCatalog catalog, ChainExpansionEstimator.Options options) =>
        new(EnvironmentOf(catalog), options);

    /// <summary>
    /// Tunes a model's later chains for a label and leaves the first ones as they are; see
    /// <see cref="ChainTuningEstimator"/>.
    /// </summary>
    /// <param name="catalog">The transforms catalog.</param>
    /// <param name="model">The model to tune, which stays as it is.</param>
    /// <param name="labelColumnName">The label: a key, Boolean or Single.</param>
    /// <param name="textColumnName">The column of text to learn from, and to predict of.</param>
    /// <exception cref="ArgumentException">An argument is empty.</exception>
    public static ChainTuningEstimator ChainTuning(
        this TransformsCatalog catalog, ElasticScoringTransformer model, string labelColumnName = "Label",
        string textColumnName = "Text")
    {
        ArgumentNullException.ThrowIfNull(model);
        return ChainTuning(catalog, new ChainTuningEstimator.Options
        {
            Model = model,
            LabelColumnName = labelColumnName,
            TextColumnName = textColumnName,
        });
    }

    /// <summary>
    /// Tunes a model's later chains for a label, for responses to prompts, or its language heads alone; see
    /// <see cref="ChainTuningEstimator"/>.
    /// </summary>
    /// <param name="catalog">The transforms catalog.</param>
    /// <param name="options">What to tune, on which columns, and how.</param>
    /// <exception cref="ArgumentException">An option is out of range; the message names it.</exception>
    public static ChainTuningEstimator ChainTuning(
        this TransformsCatalog catalog, ChainTuningEstimator.Options options) =>
        new(EnvironmentOf(catalog), options);

    /// <summary>Scores text with the first chains of a model; see <see cref="ElasticScoringTransformer"/>.</summary>
    /// <param name="catalog">The transforms catalog.</param>
    /// <param name="modelFolder">A LLaMA or CoLM folder in Hugging Face's layout.</param>
    /// <param name="chainCount">How many chains to score with; null takes all.</param>
    /// <param name="textColumnName">The column of text to score.</param>
    /// <exception cref="ArgumentException">An argument is empty or out of range.</exception>
    public static ElasticScoringEstimator ElasticScoring(
        this TransformsCatalog catalog, string modelFolder, int? chainCount = null, string textColumnName = "Text")
    {
        GivenFolder.CheckIsNamed(modelFolder, nameof(modelFolder));
        return ElasticScoring(catalog, new ElasticScoringEstimator.Options
        {
            ModelFolder = modelFolder,
            ChainCount = chainCount,
            TextColumnName = textColumnName,
        });
    }

    /// <summary>Scores text with the first chains of a model; see <see cref="ElasticScoringTransformer"/>.</summary>
    /// <param name="catalog">The transforms catalog.</param>
    /// <param name="options">What to score with, and which columns to read and write.</param>
    /// <exception cref="ArgumentException">An option is out of range; the message names it.</exception>
    public static ElasticScoringEstimator ElasticScoring(
        this TransformsCatalog catalog, ElasticScoringEstimator.Options options) =>
        new(EnvironmentOf(catalog), options);

    /// <summary>Operations beyond ML.NET's own catalogs, such as saving a zip that a full disk cannot spoil.</summary>
    /// <param name="mlContext">Whose log, device and seed are used.</param>
    public static CoLMOperations CoLM(this MLContext mlContext)
    {
        ArgumentNullException.ThrowIfNull(mlContext);
        LibraryVersions.Check();
        return new(mlContext);
    }

    /// <summary>The same fitted pipeline with its model of this library at another chain count.</summary>
    public static ITransformer WithChainCount(this ITransformer model, int chainCount) =>
        throw new NotImplementedException();

    /// <summary>The same fitted pipeline with its model of this library as a cascade.</summary>
    public static ITransformer WithCascade(this ITransformer model, CascadeOptions cascade) =>
        throw new NotImplementedException();

    /// <summary>
    /// Makes PredictionEngines of one model for all threads of a service; see <see cref="PredictionPool{TSrc, TDst}"/>.
    /// </summary>
    /// <typeparam name="TSrc">A row.</typeparam>
    /// <typeparam name="TDst">A prediction.</typeparam>
    /// <param name="catalog"><see cref="MLContext.Model"/>.</param>
    /// <param name="transformer">The model, alone or in a chain of transformers; it stays the caller's.</param>
    /// <exception cref="ObjectDisposedException">The transformer was disposed.</exception>
    public static PredictionPool<TSrc, TDst> CreatePredictionEnginePool<TSrc, TDst>(
        this ModelOperationsCatalog catalog, ITransformer transformer)
        where TSrc : class
        where TDst : class, new()
    {
        ArgumentNullException.ThrowIfNull(catalog);
        ArgumentNullException.ThrowIfNull(transformer);
        return new(() => catalog.CreatePredictionEngine<TSrc, TDst>(
            transformer, new PredictionEngineOptions { OwnsTransformer = false }));
    }

    private static IHostEnvironment EnvironmentOf(TransformsCatalog catalog)
    {
        LibraryVersions.Check();
        return Get(catalog);

        // Bound to ML.NET's internals when it is first called: after the check.
        [MethodImpl(MethodImplOptions.NoInlining)]
        static IHostEnvironment Get(TransformsCatalog catalog) => CatalogUtils.GetEnvironment(catalog);
    }
}
