using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM;

/// <summary>How to train; shared by the estimators that do.</summary>
/// <remarks>
/// The optimizer is AdamW (Loshchilov and Hutter 2019); weight decay leaves out the norms. The defaults are those of
/// LLaMA-style pre-training (Touvron et al. 2023), with a step count for small corpora.
/// <para>
/// The model computes in its own type, Float32 or BFloat16. What is trained has weights, and what the optimizer keeps of
/// them, in float32 all the same (Micikevicius et al. 2018): after each step the model gets them rounded. Beside the model,
/// each trained parameter takes 12 bytes of memory in Float32: its gradient and AdamW's two means. In BFloat16 it takes 14,
/// with the weight in float32 and the gradient in BFloat16; 18 where <see cref="GradientAccumulationSteps"/> is above 1, as
/// gradients are added up in float32. <see cref="RestoreBest"/> takes as much again as the parameters in the model's type.
/// </para>
/// <para>
/// Next-token training on documents (chain expansion, and tuning of language heads) keeps the corpus's token ids, 4 bytes
/// each, in a file in the system's temporary folder that nobody else can read and that goes with the training.
/// </para>
/// </remarks>
public abstract class TrainingOptions
{
    private int? _sequenceLength;
    private double? _learningRate;

    private protected TrainingOptions()
    {
    }

    /// <summary>
    /// Tokens of a training window; at most the model's context. Default: 256; in chain tuning 2048, and 256 for language
    /// heads.
    /// </summary>
    public int SequenceLength
    {
        get => _sequenceLength ?? DefaultSequenceLength;
        set => _sequenceLength = value;
    }

    /// <summary>Windows of one forward and backward pass. Default: 16; in chain tuning 32.</summary>
    public int BatchSize { get; set; } = 16;

    /// <summary>Passes whose gradients are added up for one optimizer step. Default: 1.</summary>
    public int GradientAccumulationSteps { get; set; } = 1;

    /// <summary>Passes over the data; ignored when <see cref="MaxSteps"/> is given. Default: 1; in chain tuning 3.</summary>
    public int Epochs { get; set; } = 1;

    /// <summary>
    /// Optimizer steps, over as many epochs as that takes; 0 trains nothing; null goes by the epochs. Default: null.
    /// </summary>
    public int? MaxSteps { get; set; }

    /// <summary>
    /// The learning rate after the warm-up. Default: 1e-3; in chain tuning 2e-5, or 2e-4 where nothing that was trained before
    /// is tuned.
    /// </summary>
    public double LearningRate
    {
        get => _learningRate ?? DefaultLearningRate;
        set => _learningRate = value;
    }

    /// <summary>Steps over which the learning rate rises from zero. Default: 30.</summary>
    public int WarmupSteps { get; set; } = 30;

    /// <summary>
    /// How the learning rate falls after the warm-up. Default: <see cref="LearningRateDecay.Cosine"/>; in chain tuning
    /// <see cref="LearningRateDecay.Linear"/>.
    /// </summary>
    public LearningRateDecay Decay { get; set; } = LearningRateDecay.Cosine;

    /// <summary>AdamW's decoupled weight decay. Default: 0.1; in chain tuning 0.</summary>
    public double WeightDecay { get; set; } = 0.1;

    /// <summary>AdamW's decay of the mean gradient. Default: 0.9.</summary>
    public double Beta1 { get; set; } = 0.9;

    /// <summary>AdamW's decay of the mean squared gradient. Default: 0.95.</summary>
    public double Beta2 { get; set; } = 0.95;

    /// <summary>Gradients are scaled down to this norm; infinity never clips. Default: 1.</summary>
    public double MaxGradientNorm { get; set; } = 1;

    /// <summary>
    /// What training makes small. Default: <see cref="TrainingObjective.LastScale"/>; in chain tuning
    /// <see cref="TrainingObjective.MultiChain"/>.
    /// </summary>
    public TrainingObjective Objective { get; set; } = TrainingObjective.LastScale;

    /// <summary>
    /// Weight of each scale's cross-entropy in <see cref="TrainingObjective.MultiChain"/>, from chain count 1 on;
    /// null weighs all alike. Scales of frozen chains alone have no gradient and are left out. Default: null.
    /// </summary>
    public IReadOnlyList<double>? ScaleWeights { get; set; }

    /// <summary>
    /// Validates, where there is a validation set, every so many steps; null at the end only. Default: null, which in chain
    /// tuning is after each epoch.
    /// </summary>
    public int? ValidationInterval { get; set; }

    /// <summary>
    /// Whether the model ends with the weights of its best validation instead of the last step's: the one with the
    /// smallest objective. Without a validation set it makes no difference. Default: false; in chain tuning true.
    /// </summary>
    public bool RestoreBest { get; set; }

    /// <summary>
    /// Ends training after so many validations, one after the other, without a new best; null never does. Default: null.
    /// </summary>
    public int? EarlyStoppingPatience { get; set; }

    /// <summary>
    /// Seed of new weights and of the windows' order; null takes the MLContext's, or draws one. A run that resumes takes the
    /// one that was drawn. Default: null.
    /// </summary>
    [KeepsResult]
    public int? Seed { get; set; }

    /// <summary>
    /// Writes checkpoints into this folder, which is created if it is missing, so that a training that was interrupted can
    /// go on; null writes none. Default: null.
    /// </summary>
    /// <remarks>
    /// A checkpoint is three files, for example <c>checkpoint-500.safetensors</c>, <c>checkpoint-500.json</c> and their
    /// checksums in <c>checkpoint-500.sha256</c>, which appears last. The newest two are kept; a crash at any moment leaves a
    /// whole one. A checkpoint is of weights whose loss is known to be finite: that of a step is written within the next
    /// step. One that cannot be written, for example on a full disk, is a warning: training goes on.
    /// <para>
    /// Fitting throws an <see cref="ArgumentException"/> where the folder has checkpoints and <see cref="ResumeFrom"/> does
    /// not name it, and an <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/> where it cannot be
    /// written at the start or another training writes to it.
    /// </para>
    /// </remarks>
    [KeepsResult]
    public string? CheckpointFolder { get; set; }

    /// <summary>
    /// Writes a checkpoint every so many steps; one more is written at the end of the training, also when it is cancelled.
    /// Default: 100.
    /// </summary>
    [KeepsResult]
    public int CheckpointInterval { get; set; } = 100;

    /// <summary>
    /// Goes on from the newest whole checkpoint in this folder, usually the <see cref="CheckpointFolder"/>; null begins at
    /// the beginning. Default: null.
    /// </summary>
    /// <remarks>
    /// Weights, optimizer, schedule, position in the data and random state are those of the checkpoint, so that the training
    /// ends as if it had never been interrupted: on the CPU, on the same machine, with the same weights to the bit. A
    /// finished training is not trained any further. Where the folder is also the <see cref="CheckpointFolder"/> it may have
    /// no checkpoint yet, or be missing: then training begins at the beginning, and a message says so. One program thus
    /// serves for the first run and for those after a crash.
    /// <para>
    /// A damaged checkpoint is passed over, with a warning, for the one before it. Fitting throws an
    /// <see cref="InvalidDataException"/> where all are damaged; an <see cref="ArgumentException"/> that says what differs
    /// where the checkpoint is of another model, other data or other options, those aside that do not change the result; a
    /// <see cref="DirectoryNotFoundException"/> or <see cref="FileNotFoundException"/> where the folder is not the
    /// <see cref="CheckpointFolder"/> and is missing or has no checkpoint.
    /// </para>
    /// </remarks>
    [KeepsResult]
    public string? ResumeFrom { get; set; }

    /// <summary>Gets the progress after every step. Default: null.</summary>
    public IProgress<TrainingProgress>? Progress { get; set; }

    /// <summary>
    /// Ends training after the row that is read or the step it is in. The model is then what it was trained to so far, and
    /// usable. Fitting throws an <see cref="OperationCanceledException"/> instead where the token is cancelled already, and
    /// chain tuning where it is before all rows are read. Default: none, which is never cancelled.
    /// </summary>
    /// <remarks>Cancelling the MLContext's execution throws at any time, as in ML.NET's own trainers.</remarks>
    public CancellationToken CancellationToken { get; set; }

    /// <summary>Ends training as cancelling the MLContext's execution does: a sweep's.</summary>
    internal CancellationToken StopToken { get; set; }

    private protected virtual int DefaultSequenceLength => 256;

    private protected virtual double DefaultLearningRate => 1e-3;

    /// <summary>Throws an <see cref="ArgumentException"/> that names the first option that is out of range.</summary>
    private protected void CheckTraining()
    {
        OptionCheck.That(SequenceLength >= 1, nameof(SequenceLength), SequenceLength, "at least 1");
        OptionCheck.That(BatchSize >= 1, nameof(BatchSize), BatchSize, "at least 1");
        OptionCheck.That(GradientAccumulationSteps >= 1, nameof(GradientAccumulationSteps), GradientAccumulationSteps, "at least 1");
        OptionCheck.That(Epochs >= 1, nameof(Epochs), Epochs, "at least 1");
        OptionCheck.That(MaxSteps is null or >= 0, nameof(MaxSteps), MaxSteps, "at least 0");
        OptionCheck.That((Int128)BatchSize * SequenceLength * GradientAccumulationSteps <= int.MaxValue, nameof(BatchSize),
            BatchSize, $"smaller with {nameof(SequenceLength)} {SequenceLength} and {nameof(GradientAccumulationSteps)} " +
            $"{GradientAccumulationSteps}, as a step has at most {int.MaxValue} tokens");
        OptionCheck.That((float)LearningRate is > 0 and <= float.MaxValue, nameof(LearningRate), LearningRate,
            "a number above 0 that fits a Single");
        OptionCheck.That(WarmupSteps >= 0, nameof(WarmupSteps), WarmupSteps, "at least 0");
        OptionCheck.That(Enum.IsDefined(Decay), nameof(Decay), Decay, "one of the enumeration's values");
        OptionCheck.That(WeightDecay >= 0 && double.IsFinite(WeightDecay), nameof(WeightDecay), WeightDecay, "a number of at least 0");
        OptionCheck.That(Beta1 is >= 0 and < 1, nameof(Beta1), Beta1, "at least 0 and below 1");
        OptionCheck.That(Beta2 is >= 0 and < 1, nameof(Beta2), Beta2, "at least 0 and below 1");
        OptionCheck.That(MaxGradientNorm > 0, nameof(MaxGradientNorm), MaxGradientNorm, "above 0");
        OptionCheck.That(Enum.IsDefined(Objective), nameof(Objective), Objective, "one of the enumeration's values");
        OptionCheck.That(ValidationInterval is null or >= 1, nameof(ValidationInterval), ValidationInterval, "at least 1");
        OptionCheck.That(EarlyStoppingPatience is null or >= 1, nameof(EarlyStoppingPatience), EarlyStoppingPatience, "at least 1");
        CheckFolder(CheckpointFolder, nameof(CheckpointFolder));
        OptionCheck.That(CheckpointInterval >= 1, nameof(CheckpointInterval), CheckpointInterval, "at least 1");
        CheckFolder(ResumeFrom, nameof(ResumeFrom));
        OptionCheck.That(ScaleWeights is null || Objective == TrainingObjective.MultiChain,
            nameof(ScaleWeights), "weights", $"left out unless {nameof(Objective)} is {TrainingObjective.MultiChain}");
        foreach (var weight in ScaleWeights ?? [])
            OptionCheck.That((float)weight is >= 0 and <= float.MaxValue, nameof(ScaleWeights), weight, "numbers of at least 0 that fit a Single");
    }

    private static void CheckFolder(string? folder, string option)
    {
        const string Expected = "the name of a folder, or null";
        OptionCheck.That(folder is not "", option, "an empty name", Expected);
        OptionCheck.That(folder?.Contains('\0', StringComparison.Ordinal) != true, option, "a name with a NUL character", Expected);
    }
}
