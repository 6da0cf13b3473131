using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM;

public sealed partial class ChainTuningEstimator
{
    /// <summary>What to tune, on which columns, and how.</summary>
    /// <remarks>
    /// Defaults that differ from those of pre-training:
    /// <list type="bullet">
    /// <item>
    /// <see cref="TrainingOptions.LearningRate"/>: 2e-5 when pre-trained weights are tuned, as for LLaMA 2 (Touvron et al.
    /// 2023, arXiv 2307.09288, section 3.1) and Tülu (Wang et al. 2023, arXiv 2306.04751); 2e-4 when these are all frozen, for
    /// adapters (Hu et al. 2021, arXiv 2106.09685, table 11; Dettmers et al. 2023, arXiv 2305.14314), added chains and language
    /// heads alone. Models of a few million parameters tolerate more, up to 5e-3.
    /// </item>
    /// <item>
    /// <see cref="TrainingOptions.SequenceLength"/>: 2048 tokens per row, a linear <see cref="TrainingOptions.Decay"/> and no
    /// <see cref="TrainingOptions.WeightDecay"/>, as for Tülu. For <see cref="TuningTask.LanguageHeads"/>, whose windows all
    /// have this length, 256.
    /// </item>
    /// <item>
    /// Three <see cref="TrainingOptions.Epochs"/> with a <see cref="TrainingOptions.BatchSize"/> of 32 (Devlin et al. 2019,
    /// appendix A.3), and the multi-chain <see cref="TrainingOptions.Objective"/> (paper, section 4.4).
    /// </item>
    /// <item>
    /// <see cref="TrainingOptions.RestoreBest"/>, and validation after each epoch if
    /// <see cref="TrainingOptions.ValidationInterval"/> is null.
    /// </item>
    /// </list>
    /// A Float16 model is rejected, because its gradients underflow. Load it in BFloat16 or Float32
    /// (<see cref="ElasticScoringEstimator.Options.DataType"/>).
    /// </remarks>
    public sealed class Options : TrainingOptions
    {
        /// <summary>Creates options with the defaults.</summary>
        public Options()
        {
            (BatchSize, Epochs, Objective, RestoreBest) = (32, 3, TrainingObjective.MultiChain, true);
            (Decay, WeightDecay) = (LearningRateDecay.Linear, 0);
        }

        /// <summary>
        /// The transformer whose model is tuned; it is not changed, and the caller still owns it. Frozen chains are shared with
        /// it, not copied. Required. Default: null, which is rejected.
        /// </summary>
        public ElasticScoringTransformer? Transformer { get; set; }

        /// <summary>What to learn. Default: <see cref="TuningTask.Label"/>.</summary>
        public TuningTask Task { get; set; } = TuningTask.Label;

        /// <summary>
        /// The number of leading chains that stay exactly as they are; 0 tunes all (full fine-tuning). Null freezes all but the
        /// last chain; for adapters on a one-chain model, that chain. Default: null.
        /// </summary>
        public int? FrozenChains { get; set; }

        /// <summary>
        /// The number of attention heads of each chain to add before tuning. Null adds none to a model of several chains; a
        /// one-chain model, unless it is itself tuned or gets adapters, gets a chain a quarter as wide, or as wide if it is a
        /// copy. Default: null.
        /// </summary>
        public int[]? AddedChains { get; set; }

        /// <summary>Whether chains added to a one-chain model share its keys and values. Default: true.</summary>
        public bool KvSharing { get; set; } = true;

        /// <summary>
        /// How the added chains' weights are initialized. Copies must be as wide as the first chain and need at least one added
        /// chain. Default: <see cref="ChainInitialization.Normal"/>.
        /// </summary>
        public ChainInitialization Initialization { get; set; }

        /// <summary>
        /// The label column for <see cref="TuningTask.Label"/>: a key, Boolean or Single. Rows without a label (a missing key,
        /// NaN) are skipped. Default: "Label".
        /// </summary>
        public string LabelColumnName { get; set; } = Estimators.DefaultColumnNames.Label;

        /// <summary>
        /// The text column for <see cref="TuningTask.Label"/> and <see cref="TuningTask.LanguageHeads"/>. Default: "Text".
        /// </summary>
        public string TextColumnName { get; set; } = Estimators.DefaultColumnNames.Text;

        /// <summary>
        /// The column of a second text that forms a pair with the first; null for single texts. Default: null.
        /// </summary>
        public string? SecondTextColumnName { get; set; }

        /// <summary>The prompt column for <see cref="TuningTask.Completion"/>. Default: "Prompt".</summary>
        public string PromptColumnName { get; set; } = Estimators.DefaultColumnNames.Prompt;

        /// <summary>The response column for <see cref="TuningTask.Completion"/>. Default: "Response".</summary>
        public string ResponseColumnName { get; set; } = Estimators.DefaultColumnNames.Response;

        /// <summary>
        /// A format string with the prompt, <c>{0}</c>, followed by the response, <c>{1}</c>, once each:
        /// <c>"&lt;|user|&gt;{0}&lt;|assistant|&gt;{1}"</c>. An end-of-text token is appended if the model has one.
        /// Default: "{0}{1}".
        /// </summary>
        public string Template { get; set; } = "{0}{1}";

        /// <summary>
        /// Whether text that spells a special token is encoded as that token, as in Hugging Face's tokenizers, both in training
        /// and in later predictions. False treats it as plain text. A <see cref="Transformer"/> created with false keeps that.
        /// Special tokens in a <see cref="Template"/> are always parsed. Default: true.
        /// </summary>
        [Training.KeepsResult]
        public bool ParseSpecialTokens { get; set; } = true;

        /// <summary>Whether special tokens are parsed in texts.</summary>
        internal bool ParsesSpecialTokens => ParseSpecialTokens && Transformer!.Settings.ParsesSpecialTokens;

        /// <summary>Adapters to train instead of the tuned chains' weights; null for none. Default: null.</summary>
        public LoraOptions? Lora { get; set; }

        /// <summary>
        /// The weight of each class in the loss, above 0, in the order of the key's values, or false and true; null weights all
        /// equally. Default: null.
        /// </summary>
        public IReadOnlyList<double>? ClassWeights { get; set; }

        /// <summary>
        /// Label smoothing: the share of a class label spread over all classes, from 0 to below 1. Default: 0.
        /// </summary>
        public double LabelSmoothing { get; set; }

        /// <summary>
        /// What a label is predicted from, for <see cref="TuningTask.Label"/>: the features of the last token, the only one
        /// that has seen the whole text, or the mean over all tokens, which classified whole sentences better with models of
        /// few layers (samples/ForgettingStudy). Default: <see cref="FeaturePooling.LastToken"/>.
        /// </summary>
        /// <remarks>
        /// For the mean, chains that share the first one's keys and values are computed at every token, in tuning and in
        /// scoring, rather than only at the last one.
        /// </remarks>
        public FeaturePooling Pooling { get; set; } = FeaturePooling.LastToken;

        /// <summary>
        /// The learning rate of a label's head, which is trained from scratch while the weights below it are pre-trained; null
        /// uses <see cref="TrainingOptions.LearningRate"/>. It follows the same schedule. Default: null.
        /// </summary>
        public double? HeadLearningRate { get; set; }

        /// <summary>Rows to validate on, with the same columns; null skips validation. Default: null.</summary>
        public IDataView? ValidationSet { get; set; }

        /// <summary>
        /// Whether the frozen chains' features are cached, so that epochs after the first run only the tuned chains. Results
        /// are the same up to rounding. Default: true.
        /// </summary>
        public bool ReuseFrozenFeatures { get; set; } = true;

        /// <summary>The memory, in bytes, that cached features may take. Default: 1 GiB.</summary>
        public long FrozenFeatureMemoryBytes { get; set; } = 1L << 30;

        /// <summary>
        /// A folder for temporary files of the features that exceed <see cref="FrozenFeatureMemoryBytes"/>; created if missing.
        /// Null writes none: such features are recomputed in every epoch. Default: null.
        /// </summary>
        public string? FrozenFeatureFolder { get; set; }

        /// <summary>
        /// The disk space, in bytes, that cached features may take in <see cref="FrozenFeatureFolder"/>. Default: 16 GiB.
        /// </summary>
        public long FrozenFeatureDiskBytes { get; set; } = 16L << 30;

        private protected override int DefaultSequenceLength => Task == TuningTask.LanguageHeads ? 256 : 2048;

        private protected override double DefaultLearningRate => TunesTrainedWeights() ? 2e-5 : 2e-4;

        /// <summary>Attention heads of the chains that are added to a model before tuning.</summary>
        internal int[] ChainsToAdd(CoLMConfig config)
        {
            if (AddedChains is not null || config.ChainCount > 1 || FrozenChains is not null || Lora is not null)
                return AddedChains ?? [];
            var (heads, groups) = (config.Heads(0), config.KeyValueHeads(0));
            // A quarter as wide as the first, in whole groups of the heads that share keys; a copy is as wide.
            return [Initialization == ChainInitialization.CopyFirstChain
                ? heads : Math.Max(groups, (heads + 3) / 4 / groups * groups)];
        }

        /// <summary>A copy that later changes to these options do not affect.</summary>
        internal Options Copy()
        {
            var copy = (Options)MemberwiseClone();
            copy.AddedChains = AddedChains?.ToArray();
            copy.ScaleWeights = ScaleWeights?.ToArray();
            copy.ClassWeights = ClassWeights?.ToArray();
            copy.Lora = Lora?.Copy();
            return copy;
        }

        internal void Check()
        {
            if (Transformer is null)
            {
                throw new ArgumentException($"{nameof(Transformer)} must be given: the one whose model is tuned.",
                    nameof(Transformer));
            }
            OptionCheck.That(Enum.IsDefined(Task), nameof(Task), Task, $"a {nameof(TuningTask)}");
            OptionCheck.That(FrozenChains is null or >= 0, nameof(FrozenChains), FrozenChains, "at least 0");
            OptionCheck.That(Enum.IsDefined(Initialization), nameof(Initialization), Initialization,
                $"a {nameof(ChainInitialization)}");
            OptionCheck.That(Task != TuningTask.LanguageHeads || Initialization == ChainInitialization.Normal, nameof(Initialization),
                Initialization, $"left out where {nameof(Task)} is {TuningTask.LanguageHeads}");
            foreach (var name in ColumnNames())
                OptionCheck.That(!string.IsNullOrEmpty(name.Value), name.Key, "an empty name", "the name of a column");
            OptionCheck.That(ColumnNames().DistinctBy(name => name.Value).Count() == ColumnNames().Count, "Column names",
                string.Join(", ", ColumnNames().Select(name => name.Value)), "different from each other");
            OptionCheck.That(Task == TuningTask.Label || SecondTextColumnName is null, nameof(SecondTextColumnName),
                SecondTextColumnName, $"left out unless {nameof(Task)} is {TuningTask.Label}");
            OptionCheck.That(Task != TuningTask.LanguageHeads || Lora is null, nameof(Lora), "adapters",
                $"left out where {nameof(Task)} is {TuningTask.LanguageHeads}: every chain is frozen");
            OptionCheck.That(Task != TuningTask.LanguageHeads || AddedChains is null or [], nameof(AddedChains), "new chains",
                $"left out where {nameof(Task)} is {TuningTask.LanguageHeads}");
            OptionCheck.That(Task == TuningTask.Label || (ClassWeights is null && LabelSmoothing == 0),
                $"{nameof(ClassWeights)} and {nameof(LabelSmoothing)}", "one of them",
                $"left out unless {nameof(Task)} is {TuningTask.Label}");
            OptionCheck.That(Enum.IsDefined(Pooling), nameof(Pooling), Pooling, $"a {nameof(FeaturePooling)}");
            OptionCheck.That(Task == TuningTask.Label || Pooling == FeaturePooling.LastToken, nameof(Pooling), Pooling,
                $"left out unless {nameof(Task)} is {TuningTask.Label}");
            OptionCheck.That(HeadLearningRate is null || (float)HeadLearningRate is > 0 and <= float.MaxValue, nameof(HeadLearningRate),
                HeadLearningRate, "a number above 0 that fits a Single, or null");
            OptionCheck.That(Task == TuningTask.Label || HeadLearningRate is null, nameof(HeadLearningRate), HeadLearningRate,
                $"left out unless {nameof(Task)} is {TuningTask.Label}");
            OptionCheck.That(LabelSmoothing is >= 0 and < 1, nameof(LabelSmoothing), LabelSmoothing, "at least 0 and below 1");
            foreach (var weight in ClassWeights ?? [])
                OptionCheck.That((float)weight is > 0 and <= float.MaxValue, nameof(ClassWeights), weight, "numbers above 0 that fit a Single");
            OptionCheck.That(ScaleWeights is null or [.., > 0], nameof(ScaleWeights),
                ScaleWeights is [.., var last] ? last : "none", "a number for each chain count, above 0 for the last one");
            OptionCheck.That(FrozenFeatureMemoryBytes >= 0, nameof(FrozenFeatureMemoryBytes), FrozenFeatureMemoryBytes, "at least 0");
            OptionCheck.That(FrozenFeatureFolder is not "", nameof(FrozenFeatureFolder), "an empty name",
                "the name of a folder, or null");
            OptionCheck.That(FrozenFeatureDiskBytes >= 0, nameof(FrozenFeatureDiskBytes), FrozenFeatureDiskBytes, "at least 0");
            Lora?.Check();
            if (Task == TuningTask.Completion)
            {
                _ = new Training.CompletionTemplate(Template ?? throw new ArgumentException(
                    $"{nameof(Template)} must be a format string, found null.", nameof(Template)));
            }
            CheckTraining();
        }

        private bool TunesTrainedWeights()
        {
            if (Task == TuningTask.LanguageHeads || Lora is not null)
                return false;
            if (Transformer?.Model.Config is not { } config)
                return true;
            var frozenChains = FrozenChains ?? config.ChainCount + ChainsToAdd(config).Length - 1;
            return frozenChains < config.ChainCount;
        }

        private Dictionary<string, string> ColumnNames()
        {
            if (Task == TuningTask.Completion)
            {
                return new()
                {
                    [nameof(PromptColumnName)] = PromptColumnName,
                    [nameof(ResponseColumnName)] = ResponseColumnName,
                };
            }
            var names = new Dictionary<string, string> { [nameof(TextColumnName)] = TextColumnName };
            if (SecondTextColumnName is { } second)
                names.Add(nameof(SecondTextColumnName), second);
            if (Task == TuningTask.Label)
                names.Add(nameof(LabelColumnName), LabelColumnName);
            return names;
        }
    }
}
