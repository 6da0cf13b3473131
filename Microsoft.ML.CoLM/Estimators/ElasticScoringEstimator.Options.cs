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
        /// A LLaMA or CoLM folder; give this, <see cref="Model"/> or <see cref="Transformer"/>. That of a tuned model gives the
        /// task that it was tuned for, with its head and the columns that it reads, unless <see cref="Task"/> is set.
        /// Default: null.
        /// </summary>
        public string? ModelFolder { get; set; }

        /// <summary>
        /// The type to load a <see cref="ModelFolder"/> in, to which weights of other types are converted: Float32, BFloat16
        /// or Float16. Null is the stored one. <see cref="CoLMCatalog.ChainTuning(Microsoft.ML.TransformsCatalog,
        /// ChainTuningEstimator.Options)"/> takes models in Float32 and BFloat16. Default: null.
        /// </summary>
        public ScalarType? DataType { get; set; }

        /// <summary>
        /// A model in memory, which stays the caller's. What it was tuned for makes no difference: give the transformer for that.
        /// Default: null.
        /// </summary>
        public CoLMModel? Model { get; set; }

        /// <summary>
        /// A fitted transformer whose model and task are taken, with the columns that it reads and writes: of these options
        /// <see cref="ChainCount"/>, <see cref="Cascade"/>, <see cref="BatchSize"/>, <see cref="Window"/>,
        /// <see cref="Stride"/> and <see cref="ParseSpecialTokens"/> count; windows that are left out are the transformer's. The weights are shared.
        /// Default: null.
        /// </summary>
        public ElasticScoringTransformer? Transformer { get; set; }

        /// <summary>
        /// How many chains to score with; null takes all. Left out with a <see cref="Cascade"/>. Default: null.
        /// </summary>
        public int? ChainCount { get; set; }

        /// <summary>
        /// Scores every row with few chains, and only those that are not clear then with more; null scores all rows
        /// alike. For <see cref="ScoringTask.LanguageModeling"/>, and for the classes of a <see cref="Transformer"/> or of a
        /// tuned model's folder, which has no cascade of its own. Default: null.
        /// </summary>
        public CascadeOptions? Cascade { get; set; }

        /// <summary>
        /// What to compute, and so which of the output columns there are. Left out, it is what the <see cref="ModelFolder"/>'s
        /// model was tuned for, or <see cref="ScoringTask.LanguageModeling"/>; once set, to that, too, the folder's head is not
        /// used. Default: <see cref="ScoringTask.LanguageModeling"/>, where no folder says another.
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
        /// How a text's tokens become one vector, in <see cref="ScoringTask.Features"/>. Default:
        /// <see cref="FeaturePooling.Mean"/>.
        /// </summary>
        public FeaturePooling Pooling { get; set; } = FeaturePooling.Mean;

        /// <summary>
        /// Input of <see cref="ScoringTask.MultipleChoice"/>: the text before all choices, or a vector of one before each.
        /// Default: "Context".
        /// </summary>
        public string ContextColumnName { get; set; } = DefaultColumnNames.Context;

        /// <summary>
        /// Input of <see cref="ScoringTask.MultipleChoice"/>, vector of Text: the choices, at least one; rows may have different
        /// numbers of them. Default: "Choices".
        /// </summary>
        public string ChoicesColumnName { get; set; } = DefaultColumnNames.Choices;

        /// <summary>
        /// The column of text to score, of the other tasks. Left out, a tuned model's folder says it; once set, it stands for the
        /// first, or only one, of that task's columns. Default: "Text".
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
        /// Output of <see cref="ScoringTask.LanguageModeling"/>, Int32: tokens scored. Default: "TokenCount".
        /// </summary>
        public string TokenCountColumnName { get; set; } = DefaultColumnNames.TokenCount;

        /// <summary>
        /// Output of <see cref="ScoringTask.LanguageModeling"/>, Single: exp(-log-probability / tokens); NaN where no
        /// token is scored. Default: "Perplexity".
        /// </summary>
        public string PerplexityColumnName { get; set; } = DefaultColumnNames.Perplexity;

        /// <summary>
        /// Output of a <see cref="Cascade"/>, Int32: the chain count that the row's scores are of; the first for a text
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
        /// probability behind the context, summed over its tokens. Default: "Score".
        /// </summary>
        public string ScoreColumnName { get; set; } = DefaultColumnNames.Score;

        /// <summary>
        /// Output of <see cref="ScoringTask.MultipleChoice"/>, vector of Single: the score for each character of the choice, which
        /// are Unicode's code points; minus infinity for a choice without any. Default: "NormalizedScore".
        /// </summary>
        public string NormalizedScoreColumnName { get; set; } = DefaultColumnNames.NormalizedScore;

        /// <summary>
        /// Output of <see cref="ScoringTask.MultipleChoice"/>, Int32: the choice with the greatest score, counted from 0; of
        /// equal ones the first. Default: "PredictedLabel".
        /// </summary>
        public string PredictedLabelColumnName { get; set; } = DefaultColumnNames.PredictedLabel;

        /// <summary>
        /// Output of <see cref="ScoringTask.MultipleChoice"/>, Int32: the choice with the greatest normalised score, counted from
        /// 0; of equal ones the first. Default: "NormalizedPredictedLabel".
        /// </summary>
        public string NormalizedPredictedLabelColumnName { get; set; } = DefaultColumnNames.NormalizedPredictedLabel;

        internal const int MaximumBatchSize = 1 << 16;

        /// <summary>
        /// Rows that are scored together, at most 65,536; results do not depend on it beyond rounding. Default: 64.
        /// </summary>
        public int BatchSize { get; set; } = 64;

        /// <summary>
        /// Tokens of a window, from 2 to the model's context, which null takes: a longer text is scored in several. Time and
        /// memory of a token grow with the window, and so does what is known of its past: long texts under a model with a
        /// context of 128K are scored in a fraction of the time with 4,096. Left out with tuned classes and numbers, which
        /// read the beginning of a text alone, and with <see cref="ScoringTask.MultipleChoice"/>, which reads the end.
        /// Default: null.
        /// </summary>
        public int? Window { get; set; }

        /// <summary>
        /// Tokens that windows advance by, at least 1; null takes half a window. Behind the first window, every token is scored
        /// after as many others as a window has more than the stride, or more. Default: null.
        /// </summary>
        /// <remarks>
        /// Equal to <see cref="Window"/>, or, where that is left out, to the model's context, it divides a text as
        /// lm-evaluation-harness does for perplexities: each window reads so many tokens and predicts as many, the first from the
        /// prefix token on, later ones from a single token of the window before, and the last reaches back so far that it reads as
        /// many as the others. The prefix is the model's beginning-of-text token or, where it has none, its end-of-text token,
        /// so that every token of the text is scored. It is the fastest way through long texts, and rates them worse than windows
        /// that overlap. For <see cref="ScoringTask.LanguageModeling"/> alone.
        /// </remarks>
        public int? Stride { get; set; }

        /// <summary>
        /// Whether text that spells a special token (<c>&lt;/s&gt;</c>, <c>&lt;|eot_id|&gt;</c>) means that token, as Hugging Face's
        /// tokenizers have it. False takes it for text: nothing in a user's text becomes a special token, while those that the
        /// tokenizer puts around a text, and those of a template, stay. A <see cref="Transformer"/> or a tuned model's folder that
        /// was made with false keeps that. Default: true.
        /// </summary>
        public bool ParseSpecialTokens { get; set; } = true;

        /// <summary>Whether special tokens are parsed.</summary>
        /// <param name="task">The folder's; null where it makes no difference.</param>
        internal bool ParsesSpecialTokens(TaskSettings? task) =>
            ParseSpecialTokens && (Transformer?.Settings.ParsesSpecialTokens ?? task?.ParsesSpecialTokens ?? true);

        /// <summary>Whether the task of a tuned model's folder counts.</summary>
        internal bool TakesTaskOfFolder => ModelFolder is not null && _task is null;

        /// <summary>The windows that are asked for, or those of the transformer.</summary>
        internal TextWindows Windows => Transformer?.Settings.Windows is { } fitted && Window is null
            ? new(fitted.Length, Stride ?? fitted.Stride) : new(Window, Stride);

        /// <summary>The depth that is asked for; null leaves it to the model, or the transformer.</summary>
        internal Depth? Depth => Cascade is null ? ChainCount is { } count ? new Depth(count) : null : Cascade.ToDepth();

        /// <summary>The columns that the task reads.</summary>
        internal TextColumns Columns => Transformer?.Settings.Columns ?? (Task == ScoringTask.MultipleChoice
            ? new ChoiceColumns(ContextColumnName, ChoicesColumnName) : new TextColumns(TextColumnName));

        /// <summary>The columns of a folder's task, with these options.</summary>
        /// <exception cref="ArgumentException">The first is the second.</exception>
        internal TextColumns ColumnsOf(TaskSettings task)
        {
            var columns = _hasTextColumnName ? task.Columns with { First = TextColumnName } : task.Columns;
            return columns.First != columns.Second ? columns : throw new ArgumentException(
                $"{nameof(TextColumnName)} must be another column than the second of the folder's task, found '{columns.First}'.");
        }

        /// <summary>What later changes of these options do not reach.</summary>
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
            // What a folder's model was tuned for, and so what its rows stop at, is read when it is fitted.
            var scorer = TakesTaskOfFolder ? CreateUnchecked(Depth ?? new(ChainCount: 1)) : CreateScorer(modelChains: 1);
            var outputs = scorer.OutputColumns(config: null);
            string[] used = [.. Columns.All, .. outputs.Select(column => column.Name)];
            if (used.Distinct().Count() < used.Length)
                throw new ArgumentException($"Column names must differ, found {string.Join(", ", used)}.");
        }

        /// <summary>What rows are scored by with these settings, for a model of so many chains.</summary>
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

        /// <summary>What is there already, at the depth of these options.</summary>
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
