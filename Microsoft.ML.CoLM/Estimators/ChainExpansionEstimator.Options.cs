using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Training;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

public sealed partial class ChainExpansionEstimator
{
    /// <summary>What to grow, and how to train it.</summary>
    public sealed class Options : TrainingOptions
    {
        /// <summary>
        /// A LLaMA or CoLM folder to grow; set this, <see cref="Model"/> or <see cref="Architecture"/>. Default: null.
        /// </summary>
        [KeepsResult]
        public string? ModelFolder { get; set; }

        /// <summary>
        /// A model in memory to grow; it is copied, not changed, and the caller still owns it. Default: null.
        /// </summary>
        public CoLMModel? Model { get; set; }

        /// <summary>
        /// The architecture of a model to train from scratch, with all its chains; one chain is an ordinary LLaMA.
        /// Default: null.
        /// </summary>
        public CoLMConfig? Architecture { get; set; }

        /// <summary>
        /// A folder whose tokenizer is used for a model trained from scratch; null uses one token per byte and sets the
        /// beginning- and end-of-text ids, which takes a vocabulary of at least 258. Default: null.
        /// </summary>
        [KeepsResult]
        public string? TokenizerFolder { get; set; }

        /// <summary>
        /// The number of attention heads of each new chain; empty with <see cref="Architecture"/>. Default: none, which is
        /// valid only with an Architecture.
        /// </summary>
        public int[] AddedChains { get; set; } = [];

        /// <summary>
        /// Whether all chains share the first one's keys and values (CoLM-Air); an <see cref="Architecture"/> has its own
        /// setting. Default: true.
        /// </summary>
        public bool KvSharing { get; set; } = true;

        /// <summary>
        /// How the new chains' weights are initialized; copies must be as wide as the first chain.
        /// Default: <see cref="ChainInitialization.Normal"/>.
        /// </summary>
        public ChainInitialization Initialization { get; set; }

        /// <summary>The text column to train on. Default: "Text".</summary>
        [KeepsResult]
        public string TextColumnName { get; set; } = DefaultColumnNames.Text;

        /// <summary>
        /// Whether text that spells a special token is encoded as that token, as in Hugging Face's tokenizers, both in training
        /// and in later scoring. False treats it as plain text. Default: true.
        /// </summary>
        [KeepsResult]
        public bool ParseSpecialTokens { get; set; } = true;

        /// <summary>Rows to validate on, with the same text column; null skips validation. Default: null.</summary>
        [KeepsResult]
        public IDataView? ValidationSet { get; set; }

        /// <summary>
        /// The type that the model computes in and is stored in: Float32 or BFloat16. Trained weights are also kept in float32.
        /// Default: Float32.
        /// </summary>
        public ScalarType DataType { get; set; } = ScalarType.Float32;

        /// <summary>A copy that later changes to these options do not affect.</summary>
        internal Options Copy()
        {
            var copy = (Options)MemberwiseClone();
            copy.AddedChains = [.. AddedChains ?? []];
            copy.ScaleWeights = ScaleWeights?.ToArray();
            return copy;
        }

        internal void Check()
        {
            object?[] sources = [ModelFolder, Model, Architecture];
            if (sources.Count(source => source is not null) != 1)
            {
                throw new ArgumentException(
                    $"Give exactly one of {nameof(ModelFolder)}, {nameof(Model)} and {nameof(Architecture)}.");
            }
            OptionCheck.That(ModelFolder is not "", nameof(ModelFolder), "an empty name", "the name of a folder");
            OptionCheck.That(TokenizerFolder is not "", nameof(TokenizerFolder), "an empty name", "the name of a folder, or null");
            ArgumentNullException.ThrowIfNull(AddedChains);
            OptionCheck.That(AddedChains.Length == 0 == (Architecture is not null), nameof(AddedChains),
                $"[{string.Join(", ", AddedChains)}]", $"empty with {nameof(Architecture)} and name at least one chain without it");
            OptionCheck.That(Enum.IsDefined(Initialization), nameof(Initialization), Initialization,
                $"a {nameof(ChainInitialization)}");
            OptionCheck.That(Architecture is null || Initialization == ChainInitialization.Normal, nameof(Initialization),
                Initialization, $"{ChainInitialization.Normal} with {nameof(Architecture)}: there is no chain to copy");
            OptionCheck.That(TokenizerFolder is null || Architecture is not null, nameof(TokenizerFolder), TokenizerFolder,
                $"left out unless {nameof(Architecture)} is given");
            OptionCheck.That(!string.IsNullOrEmpty(TextColumnName), nameof(TextColumnName), "an empty name", "the name of a column");
            OptionCheck.That(DataType is ScalarType.Float32 or ScalarType.BFloat16, nameof(DataType), DataType,
                $"{ScalarType.Float32} or {ScalarType.BFloat16}");
            CheckTraining();
        }
    }
}
