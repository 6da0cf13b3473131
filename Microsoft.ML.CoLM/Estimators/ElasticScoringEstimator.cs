using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM;

/// <summary>Loads a model and scores text with its first chains; see <see cref="ElasticScoringTransformer"/>.</summary>
/// <remarks>Nothing is trained: fitting looks at the data's schema alone.</remarks>
public sealed class ElasticScoringEstimator : IEstimator<ElasticScoringTransformer>
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
    /// <param name="input">Data with the text column; no row is read.</param>
    /// <exception cref="ArgumentException">The text column is missing or not text, or the model does not fit.</exception>
    /// <exception cref="IOException">The model's folder, or a file in it, is missing.</exception>
    /// <exception cref="InvalidDataException">A file of the model's folder is broken or not supported.</exception>
    public ElasticScoringTransformer Fit(IDataView input)
    {
        _host.CheckValue(input, nameof(input));
        ScoringSettings.TextColumn(input.Schema, _options.TextColumnName);
        if (_options.Model is { } given)
            return Create(given, isOwned: false);

        // All chains are loaded, so that WithChainCount can go up again.
        var model = CoLMModel.Load(_options.ModelFolder!, device: HostSettings.DeviceOf(_host));
        try
        {
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
    /// <exception cref="ArgumentException">The text column is missing, or is not text.</exception>
    public SchemaShape GetOutputSchema(SchemaShape inputSchema)
    {
        _host.CheckValue(inputSchema, nameof(inputSchema));
        return Settings(chainCount: 1).OutputShape(inputSchema);
    }

    private ElasticScoringTransformer Create(CoLMModel model, bool isOwned) => new(
        _host, new SharedModel(model, isOwned), Settings(_options.ChainCount ?? model.Config.Layout.ChainCount));

    private ScoringSettings Settings(int chainCount) => new(chainCount, _options.TextColumnName,
        _options.LogProbabilityColumnName, _options.TokenCountColumnName, _options.PerplexityColumnName,
        _options.BatchSize);

    /// <summary>What to score with, and which columns to read and write.</summary>
    public sealed class Options
    {
        /// <summary>A LLaMA or CoLM folder; give this or <see cref="Model"/>.</summary>
        public string? ModelFolder { get; set; }

        /// <summary>A model in memory, which stays the caller's; give this or <see cref="ModelFolder"/>.</summary>
        public CoLMModel? Model { get; set; }

        /// <summary>How many chains to score with; null takes all.</summary>
        public int? ChainCount { get; set; }

        /// <summary>The column of text to score.</summary>
        public string TextColumnName { get; set; } = DefaultColumnNames.Text;

        /// <summary>Output, Single: natural log, summed over every token after the first.</summary>
        public string LogProbabilityColumnName { get; set; } = DefaultColumnNames.LogProbability;

        /// <summary>Output, Int32: tokens scored.</summary>
        public string TokenCountColumnName { get; set; } = DefaultColumnNames.TokenCount;

        /// <summary>Output, Single: exp(-log-probability / tokens); NaN where no token is scored.</summary>
        public string PerplexityColumnName { get; set; } = DefaultColumnNames.Perplexity;

        internal const int MaximumBatchSize = 1 << 16;

        /// <summary>Rows that are scored together, at most 65,536; results do not depend on it beyond rounding.</summary>
        public int BatchSize { get; set; } = 64;

        /// <summary>What later changes of these options do not reach.</summary>
        internal Options Copy() => (Options)MemberwiseClone();

        internal void Check()
        {
            if (ModelFolder is null == Model is null)
                throw new ArgumentException($"Give either {nameof(ModelFolder)} or {nameof(Model)}.");
            if (BatchSize is < 1 or > MaximumBatchSize)
            {
                throw new ArgumentException(
                    $"{nameof(BatchSize)} must be between 1 and {MaximumBatchSize}, found {BatchSize}.");
            }
            if (ChainCount < 1)
                throw new ArgumentOutOfRangeException(nameof(ChainCount), ChainCount, "chainCount must be at least 1.");
            string?[] names = [TextColumnName, LogProbabilityColumnName, TokenCountColumnName, PerplexityColumnName];
            if (names.Any(string.IsNullOrEmpty))
                throw new ArgumentException("A column name is empty.");
            if (names.Distinct().Count() < names.Length)
                throw new ArgumentException($"Column names must differ, found {string.Join(", ", names)}.");
        }
    }
}
