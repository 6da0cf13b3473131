using Microsoft.ML.CoLM.Checkpoints;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

public sealed partial class ElasticScoringEstimator
{
    /// <summary>What to score with, and which columns to read and write.</summary>
    public sealed class Options
    {
        private ScoringTask? _task;
        private string? _textColumnName = DefaultColumnNames.Text;
        private bool _hasTextColumnName;

        /// <summary>
        /// A LLaMA or CoLM folder; set this, <see cref="Model"/> or <see cref="Transformer"/>. A tuned model's folder brings
        /// the task that it was tuned for, with its head and input columns, unless <see cref="Task"/> is set. Default: null.
        /// </summary>
        public string? ModelFolder { get; set; }

        /// <summary>
        /// The type to load a <see cref="ModelFolder"/> in, converting weights of other types: Float32, BFloat16 or Float16.
        /// Null keeps the stored type.
        /// <see cref="CoLMCatalog.ChainTuning(Microsoft.ML.TransformsCatalog, ChainTuningEstimator.Options)"/> takes models in
        /// Float32 and BFloat16. Default: null.
        /// </summary>
        public ScalarType? DataType { get; set; }

        /// <summary>
        /// Quantises all chains of a <see cref="ModelFolder"/> while they are loaded, in this format; null keeps what is stored,
        /// quantised or not. <see cref="CoLMModel.Quantize(WeightFormat?[])"/> gives each chain a format of its own. Default: null.
        /// </summary>
        public WeightFormat? Format { get; set; }

        /// <summary>
        /// A model in memory; the caller still owns it. Any task that it was tuned for is ignored: set
        /// <see cref="Transformer"/> for that. Default: null.
        /// </summary>
        public CoLMModel? Model { get; set; }

        /// <summary>
        /// A fitted transformer whose model, task and columns are used: of these options, only <see cref="ChainCount"/>,
        /// <see cref="Cascade"/>, <see cref="BatchSize"/>, <see cref="Window"/>, <see cref="Stride"/> and
        /// <see cref="ParseSpecialTokens"/> apply; windows that are not set are the transformer's. The weights are shared.
        /// Default: null.
        /// </summary>
        public ElasticScoringTransformer? Transformer { get; set; }

        /// <summary>
        /// The number of chains to score with; null uses all. Leave unset with a <see cref="Cascade"/>. Default: null.
        /// </summary>
        public int? ChainCount { get; set; }

        /// <summary>
        /// Scores every row with few chains, and only uncertain ones with more; null scores all rows alike. For
        /// <see cref="ScoringTask.LanguageModeling"/>, and for classification with a <see cref="Transformer"/> or a tuned
        /// model's folder, which does not store a cascade. Default: null.
        /// </summary>
        public CascadeOptions? Cascade { get; set; }

        /// <summary>
        /// What to compute, which determines the output columns. If not set, it is what the <see cref="ModelFolder"/>'s model
        /// was tuned for, or <see cref="ScoringTask.LanguageModeling"/>; if set, even to that, the folder's head is not used.
        /// Default: <see cref="ScoringTask.LanguageModeling"/>, unless the folder specifies another.
        /// </summary>
        public ScoringTask Task
        {
            get => _task ?? ScoringTask.LanguageModeling;
            set => _task = value;
        }

        private TaskKind Kind => Task switch
        {
            ScoringTask.Features => TaskKind.Features,
            ScoringTask.MultipleChoice => TaskKind.MultipleChoice,
            _ => TaskKind.LanguageModeling,
        };

        /// <summary>
        /// How a text's token features are pooled into one vector, for <see cref="ScoringTask.Features"/>.
        /// Default: <see cref="FeaturePooling.Mean"/>.
        /// </summary>
        public FeaturePooling Pooling { get; set; } = FeaturePooling.Mean;

        /// <summary>
        /// Input of <see cref="ScoringTask.MultipleChoice"/>: the text before all choices, or a vector of one text per choice.
        /// Default: "Context".
        /// </summary>
        public string ContextColumnName { get; set; } = DefaultColumnNames.Context;

        /// <summary>
        /// Input of <see cref="ScoringTask.MultipleChoice"/>, vector of Text: the choices, at least one; their number may
        /// differ between rows. Default: "Choices".
        /// </summary>
        public string ChoicesColumnName { get; set; } = DefaultColumnNames.Choices;

        /// <summary>
        /// The text column to score, for the other tasks. If not set, a tuned model's folder determines it; if set, it replaces
        /// the first, or only, column of that task. Default: "Text".
        /// </summary>
        public string TextColumnName
        {
            get => _textColumnName!;
            set => (_textColumnName, _hasTextColumnName) = (value, true);
        }

        /// <summary>
        /// Output of <see cref="ScoringTask.LanguageModeling"/>, Single: natural log, summed over every token after the
        /// first. Default: "LogProbability".
        /// </summary>
        public string LogProbabilityColumnName { get; set; } = DefaultColumnNames.LogProbability;

        /// <summary>
        /// Output of <see cref="ScoringTask.LanguageModeling"/>, Int32: the number of tokens scored. Default: "TokenCount".
        /// </summary>
        public string TokenCountColumnName { get; set; } = DefaultColumnNames.TokenCount;

        /// <summary>
        /// Output of <see cref="ScoringTask.LanguageModeling"/>, Single: exp(-log-probability / tokens); NaN if no token is
        /// scored. Default: "Perplexity".
        /// </summary>
        public string PerplexityColumnName { get; set; } = DefaultColumnNames.Perplexity;

        /// <summary>
        /// Output of a <see cref="Cascade"/>, Int32: the chain count that produced the row's scores; the first for a text
        /// without a token to score. Default: "ChainsUsed".
        /// </summary>
        public string ChainsUsedColumnName { get; set; } = DefaultColumnNames.ChainsUsed;

        /// <summary>
        /// Output of <see cref="ScoringTask.Features"/>, vector of Single with the width of the first chains' features,
        /// D_1 + ... + D_k; zeros for an empty text. Default: "Features".
        /// </summary>
        public string FeaturesColumnName { get; set; } = DefaultColumnNames.Features;

        /// <summary>
        /// Output of <see cref="ScoringTask.MultipleChoice"/>, vector of Single: for each choice the natural log of its
        /// probability given the context, summed over its tokens. Default: "Score".
        /// </summary>
        public string ScoreColumnName { get; set; } = DefaultColumnNames.Score;

        /// <summary>
        /// Output of <see cref="ScoringTask.MultipleChoice"/>, vector of Single: the score per character (Unicode code point)
        /// of the choice; negative infinity for an empty choice. Default: "NormalizedScore".
        /// </summary>
        public string NormalizedScoreColumnName { get; set; } = DefaultColumnNames.NormalizedScore;

        /// <summary>
        /// Output of <see cref="ScoringTask.MultipleChoice"/>, Int32: the index, from 0, of the choice with the highest score,
        /// the first if several tie. Default: "PredictedLabel".
        /// </summary>
        public string PredictedLabelColumnName { get; set; } = DefaultColumnNames.PredictedLabel;

        /// <summary>
        /// Output of <see cref="ScoringTask.MultipleChoice"/>, Int32: the index, from 0, of the choice with the highest
        /// normalised score, the first if several tie. Default: "NormalizedPredictedLabel".
        /// </summary>
        public string NormalizedPredictedLabelColumnName { get; set; } = DefaultColumnNames.NormalizedPredictedLabel;

        internal const int MaximumBatchSize = 1 << 16;

        /// <summary>
        /// The number of rows scored together, at most 65,536; results do not depend on it beyond rounding. Default: 64.
        /// </summary>
        public int BatchSize { get; set; } = 64;

        /// <summary>
        /// The window length in tokens, from 2 to the model's context; null uses the whole context. A longer text is scored in
        /// several windows. Time and memory per token grow with the window, as does the context that each token sees: with a
        /// 128K-context model, long texts are scored in a fraction of the time with 4,096. Leave unset with tuned classes and
        /// numbers, which read only the beginning of a text, and with <see cref="ScoringTask.MultipleChoice"/>, which reads the
        /// end. Default: null.
        /// </summary>
        public int? Window { get; set; }

        /// <summary>
        /// The number of tokens that windows advance by, at least 1; null uses half a window. After the first window, every
        /// token is scored with at least window minus stride tokens of context. Default: null.
        /// </summary>
        /// <remarks>
        /// Equal to <see cref="Window"/> or, if that is not set, to the model's context, it divides a text as
        /// lm-evaluation-harness does for perplexities: each window reads and predicts that many tokens, the first starting
        /// from the prefix token, later ones from a single token of the previous window, and the last reaches back far enough
        /// to read as many as the others. The prefix is the model's beginning-of-text token or, if it has none, its end-of-text
        /// token, so every token of the text is scored. It is the fastest way through long texts, but scores them worse than
        /// overlapping windows. For <see cref="ScoringTask.LanguageModeling"/> only.
        /// </remarks>
        public int? Stride { get; set; }

        /// <summary>
        /// Whether text that spells a special token (<c>&lt;/s&gt;</c>, <c>&lt;|eot_id|&gt;</c>) is encoded as that token, as
        /// in Hugging Face's tokenizers. False treats it as plain text: nothing in a user's text becomes a special token, while
        /// those that the tokenizer adds around a text, and those of a template, remain. A <see cref="Transformer"/> or a tuned
        /// model's folder created with false keeps that. Default: true.
        /// </summary>
        public bool ParseSpecialTokens { get; set; } = true;

        /// <summary>Whether special tokens are parsed.</summary>
        /// <param name="task">The folder's task; null if it makes no difference.</param>
        internal bool ParsesSpecialTokens(TaskSettings? task) =>
            ParseSpecialTokens && (Transformer?.Settings.ParsesSpecialTokens ?? task?.ParsesSpecialTokens ?? true);

        /// <summary>Whether the task of a tuned model's folder applies.</summary>
        internal bool TakesTaskOfFolder => ModelFolder is not null && _task is null;

        /// <summary>The requested windows, or those of the transformer.</summary>
        internal TextWindows Windows => Transformer?.Settings.Windows is { } fitted && Window is null
            ? new(fitted.Length, Stride ?? fitted.Stride) : new(Window, Stride);

        /// <summary>The requested depth; null leaves it to the model or the transformer.</summary>
        internal Depth? Depth => Cascade is null ? ChainCount is { } count ? new Depth(count) : null : Cascade.ToDepth();

        /// <summary>The columns that the task reads.</summary>
        internal TextColumns Columns => Transformer?.Settings.Columns ?? (Task == ScoringTask.MultipleChoice
            ? new ChoiceColumns(ContextColumnName, ChoicesColumnName) : new TextColumns(TextColumnName));

        /// <summary>The columns of a folder's task, with these options.</summary>
        /// <exception cref="ArgumentException">Both are the same column.</exception>
        internal TextColumns ColumnsOf(TaskSettings task)
        {
            var columns = _hasTextColumnName ? task.Columns with { First = TextColumnName } : task.Columns;
            return columns.First != columns.Second ? columns : throw new ArgumentException(
                $"{nameof(TextColumnName)} must be another column than the second of the folder's task, found '{columns.First}'.");
        }

        /// <summary>A copy that later changes to these options do not affect.</summary>
        internal Options Copy()
        {
            var copy = (Options)MemberwiseClone();
            copy.Cascade = Cascade?.Copy();
            return copy;
        }

        internal void Check()
        {
            object?[] sources = [ModelFolder, Model, Transformer];
            if (sources.Count(source => source is not null) != 1)
            {
                throw new ArgumentException(
                    $"Give exactly one of {nameof(ModelFolder)}, {nameof(Model)} and {nameof(Transformer)}.");
            }
            if (DataType is { } type && !ChainModule.CanHoldWeights(type))
                throw new ArgumentException($"{nameof(DataType)} must be Float32, BFloat16 or Float16, found {type}.");
            if (DataType is not null && ModelFolder is null)
            {
                throw new ArgumentException(
                    $"{nameof(DataType)} must be left out unless {nameof(ModelFolder)} is given, found {DataType}.");
            }
            if (Format is { } format && !Enum.IsDefined(format))
                throw new ArgumentException($"{nameof(Format)} must be a {nameof(WeightFormat)}, found {format}.");
            if (Format is not null && ModelFolder is null)
            {
                throw new ArgumentException(
                    $"{nameof(Format)} must be left out unless {nameof(ModelFolder)} is given, found {Format}: " +
                    $"{nameof(CoLMModel)}.{nameof(CoLMModel.Quantize)} quantises a model in memory.");
            }
            if (BatchSize is < 1 or > MaximumBatchSize)
            {
                throw new ArgumentException(
                    FormattableString.Invariant($"{nameof(BatchSize)} must be between 1 and {MaximumBatchSize}, found {BatchSize}."));
            }
            if (ChainCount < 1)
            {
                throw new ArgumentOutOfRangeException(nameof(ChainCount), FormattableString.Invariant(
                    $"chainCount must be at least 1, found {ChainCount}."));
            }
            Windows.Check();
            CheckCascade();
            if (!Enum.IsDefined(Task))
                throw new ArgumentException($"{nameof(Task)} must be a {nameof(ScoringTask)}, found {Task}.");
            if (Transformer?.Settings.Scorer.Kind is { } own && Task is not ScoringTask.LanguageModeling && Kind != own)
            {
                throw new ArgumentException($"{nameof(Task)} must be left out with a {nameof(Transformer)}, whose task is {own}, " +
                    $"found {Task}: give its {nameof(Model)} instead.", nameof(Task));
            }
            if (!Enum.IsDefined(Pooling))
                throw new ArgumentException($"{nameof(Pooling)} must be a {nameof(FeaturePooling)}, found {Pooling}.");
            (string Option, string? Name)[] names =
            [
                (nameof(TextColumnName), TextColumnName), (nameof(LogProbabilityColumnName), LogProbabilityColumnName),
                (nameof(TokenCountColumnName), TokenCountColumnName), (nameof(PerplexityColumnName), PerplexityColumnName),
                (nameof(ChainsUsedColumnName), ChainsUsedColumnName), (nameof(FeaturesColumnName), FeaturesColumnName),
                (nameof(ContextColumnName), ContextColumnName), (nameof(ChoicesColumnName), ChoicesColumnName),
                (nameof(ScoreColumnName), ScoreColumnName), (nameof(NormalizedScoreColumnName), NormalizedScoreColumnName),
                (nameof(PredictedLabelColumnName), PredictedLabelColumnName),
                (nameof(NormalizedPredictedLabelColumnName), NormalizedPredictedLabelColumnName),
            ];
            if (names.FirstOrDefault(name => string.IsNullOrEmpty(name.Name)).Option is { } empty)
                throw new ArgumentException($"A column name is empty: {empty}.", empty);
            if (ModelFolder is "")
                throw new ArgumentException($"{nameof(ModelFolder)} must be the name of a folder, found an empty name.", nameof(ModelFolder));
            if (Transformer is not null)
                return;
            // What a folder's model was tuned for, and so where its rows stop, is read when the estimator is fitted.
            var scorer = TakesTaskOfFolder ? CreateUnchecked(Depth ?? new(ChainCount: 1)) : CreateScorer(modelChains: 1);
            var outputs = scorer.OutputColumns(config: null);
            string[] used = [.. Columns.All, .. outputs.Select(column => column.Name)];
            if (used.Distinct().Count() < used.Length)
                throw new ArgumentException($"Column names must differ, found {string.Join(", ", used)}.");
        }

        /// <summary>Creates the row scorer of these settings for a model with this many chains.</summary>
        internal RowScorer CreateScorer(int modelChains) =>
            WithDepth(Transformer?.Settings.Scorer ?? CreateUnchecked(new(ChainCount ?? modelChains)));

        private RowScorer CreateUnchecked(Depth depth) => Task switch
        {
            ScoringTask.Features => new FeatureRowScorer(depth, FeaturesColumnName, Pooling),
            ScoringTask.MultipleChoice => new MultipleChoiceRowScorer(depth, ScoreColumnName, NormalizedScoreColumnName,
                PredictedLabelColumnName, NormalizedPredictedLabelColumnName),
            _ => new LanguageModelRowScorer(depth, LogProbabilityColumnName, TokenCountColumnName, PerplexityColumnName,
                ChainsUsedColumnName),
        };

        /// <summary>An existing scorer at the depth of these options.</summary>
        internal RowScorer WithDepth(RowScorer scorer) => Depth is { } depth ? scorer.WithDepth(depth) : scorer;

        private void CheckCascade()
        {
            if (Cascade is null)
                return;
            Cascade.Check();
            if (ChainCount is { } chainCount)
            {
                throw new ArgumentException($"{nameof(ChainCount)} must be left out with a {nameof(Cascade)}, which " +
                    FormattableString.Invariant($"names its own, found {chainCount}."), nameof(ChainCount));
            }
            if (Task != ScoringTask.LanguageModeling && Transformer is null)
            {
                throw new ArgumentException($"{nameof(Cascade)} must be left out unless {nameof(Task)} is " +
                    $"{ScoringTask.LanguageModeling}, found {Task}.", nameof(Cascade));
            }
        }
    }
}
