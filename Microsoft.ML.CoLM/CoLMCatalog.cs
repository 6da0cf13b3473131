using System.Runtime.CompilerServices;
using Microsoft.ML.CoLM;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML;

/// <summary>Adds Chain-of-Model language models to <see cref="MLContext"/> as pipeline components.</summary>
public static class CoLMCatalog
{
    /// <summary>
    /// Adds chains to a language model and trains them on text; see <see cref="ChainExpansionEstimator"/>.
    /// </summary>
    /// <param name="catalog">The transforms catalog.</param>
    /// <param name="modelFolder">A LLaMA or CoLM folder in Hugging Face's layout.</param>
    /// <param name="addedChains">The number of attention heads of each new chain.</param>
    /// <param name="kvSharing">Whether all chains share the first one's keys and values (CoLM-Air).</param>
    /// <param name="textColumnName">The text column to train on and to score.</param>
    /// <exception cref="ArgumentException">
    /// An argument is empty, or a chain does not fit the folder's model; the message names the nearest sizes that fit.
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
    /// Adds chains to a language model, or trains one from scratch; see <see cref="ChainExpansionEstimator"/>.
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
    /// Tunes a model's later chains for a label and leaves the first ones unchanged; see <see cref="ChainTuningEstimator"/>.
    /// </summary>
    /// <param name="catalog">The transforms catalog.</param>
    /// <param name="model">The model to tune; it is not changed.</param>
    /// <param name="labelColumnName">The label column: a key, Boolean or Single.</param>
    /// <param name="textColumnName">The text column to learn and predict from.</param>
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
    /// Tunes a model's later chains for a label or for responses to prompts, or tunes only its language heads; see
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
    /// A LLaMA or CoLM folder in Hugging Face's layout. A tuned model's folder yields the tuned transformer.
    /// </param>
    /// <param name="chainCount">The number of chains to score with; null uses all of them.</param>
    /// <param name="textColumnName">
    /// The text column to score; "Text" stands for the column that a tuned model was tuned on.
    /// </param>
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

    /// <summary>
    /// Returns operations beyond ML.NET's own catalogs, such as saving a zip without risk to the existing file.
    /// </summary>
    /// <param name="mlContext">The context whose log, device and seed are used.</param>
    public static CoLMOperations CoLM(this MLContext mlContext)
    {
        ArgumentNullException.ThrowIfNull(mlContext);
        LibraryVersions.Check();
        return new(mlContext);
    }

    /// <summary>
    /// Returns the same fitted or loaded pipeline with its <see cref="ElasticScoringTransformer"/> set to another chain count
    /// for every row; a cascade is replaced.
    /// </summary>
    /// <remarks>
    /// Nothing is copied or trained. For a transformer chain the result is a chain of the same transformers with the same
    /// scopes, which can be used, saved and turned into PredictionEngines like the original.
    /// <para>
    /// Dispose both, in any order (<c>(pipeline as IDisposable)?.Dispose()</c>): this library's weights are freed with the last
    /// pipeline that uses them. Other transformers in the chain remain owned by <paramref name="model"/>. If they hold native
    /// memory, as ONNX and TensorFlow models do, disposing the returned pipeline does not affect them, and disposing
    /// <paramref name="model"/> ends both.
    /// </para>
    /// <para>
    /// A feature vector has a different size at another chain count (<see cref="ScoringTask.Features"/>), so a trainer that
    /// follows must be refitted.
    /// </para>
    /// </remarks>
    /// <param name="model">
    /// An <see cref="ElasticScoringTransformer"/>, or a transformer chain that contains exactly one, possibly nested.
    /// </param>
    /// <param name="chainCount">The number of chains to score with, from 1 to the model's.</param>
    /// <exception cref="ArgumentException">
    /// The pipeline contains no <see cref="ElasticScoringTransformer"/>, or several (the message lists what it contains); or a
    /// trainer that follows its features was trained on a vector of another size.
    /// </exception>
    /// <exception cref="ArgumentOutOfRangeException"><paramref name="chainCount"/> is 0 or above the model's.</exception>
    /// <exception cref="ObjectDisposedException">The pipeline was disposed.</exception>
    public static ITransformer WithChainCount(this ITransformer model, int chainCount) =>
        ElasticChain.Replace(model, transformer => transformer.WithChainCount(chainCount));

    /// <summary>
    /// Returns the same fitted or loaded pipeline with its <see cref="ElasticScoringTransformer"/> set to a cascade: every row
    /// starts with few chains, and only uncertain rows continue with more.
    /// </summary>
    /// <remarks>
    /// Sharing and disposal are as for <see cref="WithChainCount"/>. <see cref="CoLMOperations.CalibrateCascade"/> finds
    /// thresholds that preserve a metric.
    /// </remarks>
    /// <param name="model">
    /// An <see cref="ElasticScoringTransformer"/>, or a transformer chain that contains exactly one, possibly nested.
    /// </param>
    /// <param name="cascade">When rows stop; the column <c>ChainsUsed</c> records where each one did.</param>
    /// <exception cref="ArgumentException">
    /// The pipeline contains no <see cref="ElasticScoringTransformer"/>, or several (the message lists what it contains); or
    /// the cascade is invalid or does not fit the model.
    /// </exception>
    /// <exception cref="NotSupportedException">The task has no stopping criterion: features, numbers, completions, choices.</exception>
    /// <exception cref="ObjectDisposedException">The pipeline was disposed.</exception>
    public static ITransformer WithCascade(this ITransformer model, CascadeOptions cascade)
    {
        ArgumentNullException.ThrowIfNull(cascade);
        return ElasticChain.Replace(model, transformer => transformer.WithCascade(cascade));
    }

    /// <summary>
    /// Creates PredictionEngines of one model for all threads of a service; see <see cref="PredictionPool{TSrc, TDst}"/>.
    /// </summary>
    /// <typeparam name="TSrc">The type of an input row.</typeparam>
    /// <typeparam name="TDst">The type of a prediction.</typeparam>
    /// <param name="catalog"><see cref="MLContext.Model"/>.</param>
    /// <param name="transformer">The model, alone or in a transformer chain; the caller still owns it.</param>
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

        // Binds to ML.NET's internals on the first call, which is after the check.
        [MethodImpl(MethodImplOptions.NoInlining)]
        static IHostEnvironment Get(TransformsCatalog catalog) => CatalogUtils.GetEnvironment(catalog);
    }
}
