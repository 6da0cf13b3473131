using System.Runtime.CompilerServices;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Estimators;
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
    /// <exception cref="ArgumentException">
    /// An argument is empty, or a chain does not fit the folder's model; the message names the nearest that fit.
    /// </exception>
    /// <example>
    /// <code>
    /// using var grown = mlContext.Transforms.ChainExpansion("llama-folder", addedChains: [8]).Fit(train);
    /// grown.Model.Save("grown-folder");
    /// </code>
    /// </example>
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
    /// <exception cref="ArgumentException">An option is out of range, or does not fit the model; the message names it.</exception>
    /// <example>
    /// <code>
    /// var options = new ChainExpansionEstimator.Options { ModelFolder = "llama-folder", AddedChains = [8, 8], MaxSteps = 1000 };
    /// using var grown = mlContext.Transforms.ChainExpansion(options).Fit(train);
    /// </code>
    /// </example>
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
    /// <example>
    /// <code>
    /// var pipeline = mlContext.Transforms.Conversion.MapValueToKey("Label").Append(mlContext.Transforms.ChainTuning(model));
    /// var tuned = pipeline.Fit(train);
    /// </code>
    /// </example>
    public static ChainTuningEstimator ChainTuning(
        this TransformsCatalog catalog, ElasticScoringTransformer model, string labelColumnName = "Label",
        string textColumnName = "Text")
    {
        ArgumentNullException.ThrowIfNull(model);
        return ChainTuning(catalog, new ChainTuningEstimator.Options
        {
            Transformer = model,
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
    /// <exception cref="ArgumentException">An option is out of range, or does not fit the model; the message names it.</exception>
    /// <example>
    /// <code>
    /// // A language model learns to answer: columns Prompt and Response.
    /// var options = new ChainTuningEstimator.Options { Transformer = model, Task = TuningTask.Completion, Lora = new() { Rank = 16 } };
    /// using var tuned = mlContext.Transforms.ChainTuning(options).Fit(train);
    /// </code>
    /// </example>
    public static ChainTuningEstimator ChainTuning(
        this TransformsCatalog catalog, ChainTuningEstimator.Options options) =>
        new(EnvironmentOf(catalog), options);

    /// <summary>
    /// Scores text with the first chains of a model, or predicts what it was tuned for; see <see cref="ElasticScoringTransformer"/>.
    /// </summary>
    /// <param name="catalog">The transforms catalog.</param>
    /// <param name="modelFolder">
    /// A LLaMA or CoLM folder in Hugging Face's layout. That of a tuned model gives the transformer that was tuned.
    /// </param>
    /// <param name="chainCount">How many chains to score with; null takes all.</param>
    /// <param name="textColumnName">The column of text to score; "Text" stands for the column that a tuned model was tuned with.</param>
    /// <exception cref="ArgumentException">An argument is empty or out of range.</exception>
    /// <example>
    /// <code>
    /// using var scorer = mlContext.Transforms.ElasticScoring("model-folder", chainCount: 1).Fit(test);
    /// var scored = scorer.Transform(test);
    /// </code>
    /// </example>
    public static ElasticScoringEstimator ElasticScoring(
        this TransformsCatalog catalog, string modelFolder, int? chainCount = null, string textColumnName = "Text")
    {
        GivenFolder.CheckIsNamed(modelFolder, nameof(modelFolder));
        var options = new ElasticScoringEstimator.Options { ModelFolder = modelFolder, ChainCount = chainCount };
        if (textColumnName != options.TextColumnName)
            options.TextColumnName = textColumnName;
        return ElasticScoring(catalog, options);
    }

    /// <summary>Scores text with the first chains of a model; see <see cref="ElasticScoringTransformer"/>.</summary>
    /// <param name="catalog">The transforms catalog.</param>
    /// <param name="options">What to score with, and which columns to read and write.</param>
    /// <exception cref="ArgumentException">An option is out of range; the message names it.</exception>
    /// <example>
    /// <code>
    /// // Features of a text, for a trainer of ML.NET.
    /// var options = new ElasticScoringEstimator.Options { ModelFolder = "model-folder", Task = ScoringTask.Features };
    /// var pipeline = mlContext.Transforms.Conversion.MapValueToKey("Label")
    ///     .Append(mlContext.Transforms.ElasticScoring(options))
    ///     .Append(mlContext.MulticlassClassification.Trainers.SdcaMaximumEntropy());
    /// </code>
    /// </example>
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

    /// <summary>
    /// The same fitted or loaded pipeline with its model of this library at another chain count, for every row: a cascade
    /// ends with it.
    /// </summary>
    /// <remarks>
    /// Nothing is copied or trained. A pipeline that is a chain of transformers gives a chain of the same ones, with the same
    /// scopes, to be transformed with, saved and made PredictionEngines of as the first.
    /// <para>
    /// Dispose both, in any order (<c>(pipeline as IDisposable)?.Dispose()</c>): the weights of this library are freed with
    /// the last pipeline that has them. Other transformers of the chain stay the property of <paramref name="model"/>. Where
    /// they hold memory outside of .NET, as ONNX and TensorFlow models do, disposing what is returned leaves them alone, and
    /// disposing <paramref name="model"/> ends both.
    /// </para>
    /// <para>
    /// A vector of features has another size at another chain count (<see cref="ScoringTask.Features"/>), so a trainer
    /// behind it must be fitted anew.
    /// </para>
    /// </remarks>
    /// <param name="model">
    /// An <see cref="ElasticScoringTransformer"/>, or a chain of transformers that holds exactly one, also in another chain.
    /// </param>
    /// <param name="chainCount">How many chains to score with, from 1 to the model's.</param>
    /// <exception cref="ArgumentException">
    /// The pipeline holds no <see cref="ElasticScoringTransformer"/>, or several, and the message lists what it holds; or a
    /// trainer behind its features was trained on a vector of another size.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="chainCount"/> is 0 or above the model's.</exception>
    /// <exception cref="ObjectDisposedException">The pipeline was disposed.</exception>
    public static ITransformer WithChainCount(this ITransformer model, int chainCount) =>
        ElasticChain.Replace(model, transformer => transformer.WithChainCount(chainCount));

    /// <summary>
    /// The same fitted or loaded pipeline with its model of this library as a cascade: rows begin with few chains, and only
    /// those that are not clear go on.
    /// </summary>
    /// <remarks>
    /// What is shared, and who disposes it, is as with <see cref="WithChainCount"/>. Thresholds that keep a metric are found by
    /// <see cref="CoLMOperations.CalibrateCascade"/>.
    /// </remarks>
    /// <param name="model">
    /// An <see cref="ElasticScoringTransformer"/>, or a chain of transformers that holds exactly one, also in another chain.
    /// </param>
    /// <param name="cascade">Where rows stop; a column <c>ChainsUsed</c> tells where each did.</param>
    /// <exception cref="ArgumentException">
    /// The pipeline holds no <see cref="ElasticScoringTransformer"/>, or several, and the message lists what it holds; or the
    /// cascade is none, or does not fit the model.
    /// </exception>
    /// <exception cref="NotSupportedException">The task has nothing to stop at: features, numbers, completions, choices.</exception>
    /// <exception cref="ObjectDisposedException">The pipeline was disposed.</exception>
    public static ITransformer WithCascade(this ITransformer model, CascadeOptions cascade)
    {
        ArgumentNullException.ThrowIfNull(cascade);
        return ElasticChain.Replace(model, transformer => transformer.WithCascade(cascade));
    }

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
