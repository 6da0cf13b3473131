using Microsoft.ML.CoLM.Text;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM;

/// <summary>How to train; the base of the training estimators' options.</summary>
/// <remarks>
/// The optimizer is AdamW (Loshchilov and Hutter 2019); weight decay does not apply to the norms. The defaults are those of
/// LLaMA-style pre-training (Touvron et al. 2023), with a step count for small corpora.
/// <para>
/// The model computes in its own type, Float32 or BFloat16. Trained weights and the optimizer's state are kept in float32 in
/// any case (Micikevicius et al. 2018), and rounded into the model after each step. In addition to the model, each trained
/// parameter takes 12 bytes of memory in Float32: its gradient and AdamW's two means. In BFloat16 it takes 14, with the weight
/// in float32 and the gradient in BFloat16; 18 if <see cref="GradientAccumulationSteps"/> is above 1, because gradients are
/// accumulated in float32. <see cref="RestoreBest"/> takes another copy of the parameters in the model's type.
/// </para>
/// <para>
/// On the CPU under Linux, a step of a large model is up to twice as fast on the process's first thread, the one of
/// <c>Main</c>, as on others: there the C library can keep the memory that a step frees for the next one. With
/// <c>MALLOC_ARENA_MAX=1</c> in the process's environment it can on all threads.
/// </para>
/// <para>
/// Next-token training on documents (chain expansion, and tuning of language heads) stores the corpus's token ids, 4 bytes
/// each, in a file in the system's temporary folder that only the current user can read and that is deleted after training.
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
    /// The length of a training window in tokens; at most the model's context. Default: 256; in chain tuning 2048, and 256 for
    /// language heads.
    /// </summary>
    public int SequenceLength
    {
        get => _sequenceLength ?? DefaultSequenceLength;
        set => _sequenceLength = value;
    }

    /// <summary>The number of windows per forward and backward pass. Default: 16; in chain tuning 32.</summary>
    public int BatchSize { get; set; } = 16;

    /// <summary>
    /// The number of passes whose gradients are accumulated for one optimizer step, of all ranks together where there is a
    /// <see cref="Communicator"/>. Default: 1.
    /// </summary>
    public int GradientAccumulationSteps { get; set; } = 1;

    /// <summary>
    /// The number of passes over the data; ignored if <see cref="MaxSteps"/> is set. Default: 1; in chain tuning 3.
    /// </summary>
    public int Epochs { get; set; } = 1;

    /// <summary>
    /// The number of optimizer steps, over as many epochs as needed; 0 trains nothing; null trains for the given epochs.
    /// Default: null.
    /// </summary>
    public int? MaxSteps { get; set; }

    /// <summary>
    /// The learning rate after the warm-up. Default: 1e-3; in chain tuning 2e-5, or 2e-4 if no pre-trained weights are tuned.
    /// </summary>
    public double LearningRate
    {
        get => _learningRate ?? DefaultLearningRate;
        set => _learningRate = value;
    }

    /// <summary>The number of steps over which the learning rate rises from zero. Default: 30.</summary>
    public int WarmupSteps { get; set; } = 30;

    /// <summary>
    /// How the learning rate decays after the warm-up. Default: <see cref="LearningRateDecay.Cosine"/>; in chain tuning
    /// <see cref="LearningRateDecay.Linear"/>.
    /// </summary>
    public LearningRateDecay Decay { get; set; } = LearningRateDecay.Cosine;

    /// <summary>AdamW's decoupled weight decay. Default: 0.1; in chain tuning 0.</summary>
    public double WeightDecay { get; set; } = 0.1;

    /// <summary>AdamW's decay rate of the mean gradient (beta 1). Default: 0.9.</summary>
    public double Beta1 { get; set; } = 0.9;

    /// <summary>AdamW's decay rate of the mean squared gradient (beta 2). Default: 0.95.</summary>
    public double Beta2 { get; set; } = 0.95;

    /// <summary>The norm that gradients are clipped to; infinity never clips. Default: 1.</summary>
    public double MaxGradientNorm { get; set; } = 1;

    /// <summary>
    /// The loss that training minimizes. Default: <see cref="TrainingObjective.LastScale"/>; in chain tuning
    /// <see cref="TrainingObjective.MultiChain"/>.
    /// </summary>
    public TrainingObjective Objective { get; set; } = TrainingObjective.LastScale;

    /// <summary>
    /// The weight of each scale's cross-entropy in <see cref="TrainingObjective.MultiChain"/>, starting with chain count 1;
    /// null weights all equally. Scales of frozen chains only have no gradient and are left out. Default: null.
    /// </summary>
    public IReadOnlyList<double>? ScaleWeights { get; set; }

    /// <summary>
    /// The number of steps between validations, if there is a validation set; null validates only at the end. Default: null,
    /// which in chain tuning is after each epoch.
    /// </summary>
    public int? ValidationInterval { get; set; }

    /// <summary>
    /// Whether the model ends with the weights of its best validation, the one with the smallest objective, instead of the last
    /// step's. Has no effect without a validation set. Default: false; in chain tuning true.
    /// </summary>
    public bool RestoreBest { get; set; }

    /// <summary>
    /// Ends training after this many consecutive validations without a new best; null never does. Default: null.
    /// </summary>
    public int? EarlyStoppingPatience { get; set; }

    /// <summary>
    /// The seed of new weights and of the windows' order; null uses the MLContext's, or draws one. A resumed run uses the one
    /// that was drawn. Default: null.
    /// </summary>
    [KeepsResult]
    public int? Seed { get; set; }

    /// <summary>
    /// A folder to write checkpoints to, created if missing, so that an interrupted training can resume; null writes none.
    /// Default: null.
    /// </summary>
    /// <remarks>
    /// A checkpoint is three files, for example <c>checkpoint-500.safetensors</c>, <c>checkpoint-500.json</c> and their
    /// checksums in <c>checkpoint-500.sha256</c>, which is written last. The newest two are kept; a crash at any moment leaves
    /// a complete one. Checkpoints only contain weights whose loss is known to be finite: a step's checkpoint is written during
    /// the next step. If one cannot be written, for example on a full disk, a warning is logged and training continues.
    /// <para>
    /// Fitting throws an <see cref="ArgumentException"/> if the folder has checkpoints and <see cref="ResumeFrom"/> does not
    /// name it, and an <see cref="IOException"/> or <see cref="UnauthorizedAccessException"/> if it is not writable at the
    /// start or another training writes to it.
    /// </para>
    /// </remarks>
    [KeepsResult]
    public string? CheckpointFolder { get; set; }

    /// <summary>
    /// The number of steps between checkpoints; another one is written when training ends, even if it is cancelled.
    /// Default: 100.
    /// </summary>
    [KeepsResult]
    public int CheckpointInterval { get; set; } = 100;

    /// <summary>
    /// A folder to resume from, usually the <see cref="CheckpointFolder"/>: training continues from its newest complete
    /// checkpoint; null starts from the beginning. Default: null.
    /// </summary>
    /// <remarks>
    /// Weights, optimizer, schedule and position in the data are restored, and random numbers follow from the seed and the
    /// position, so that training ends as if it had never been interrupted: on the CPU of the same machine, with the same weights to the bit. A finished training is not
    /// continued. If the folder is also the <see cref="CheckpointFolder"/>, it may be missing or have no checkpoint yet:
    /// training then starts from the beginning, and a message says so. The same program thus serves for the first run and for
    /// runs after a crash.
    /// <para>
    /// A damaged checkpoint is skipped, with a warning, in favour of the one before it. Fitting throws an
    /// <see cref="InvalidDataException"/> if all are damaged; an <see cref="ArgumentException"/> that says what differs if the
    /// checkpoint is for another model, other data or other options, except those that do not affect the result; a
    /// <see cref="DirectoryNotFoundException"/> or <see cref="FileNotFoundException"/> if the folder is not the
    /// <see cref="CheckpointFolder"/> and is missing or has no checkpoint.
    /// </para>
    /// </remarks>
    [KeepsResult]
    public string? ResumeFrom { get; set; }

    /// <summary>
    /// The ranks to train with, the same on every rank: rank r of n computes the passes r, r + n, and so on of each step's
    /// <see cref="GradientAccumulationSteps"/>; null trains in this process alone. Default: null.
    /// </summary>
    /// <remarks>
    /// Every rank fits the same estimator to the same data and ends with the same model, which equals that of one process: to
    /// the bit for as many passes as ranks, up to the rounding of sums otherwise, if all use as many threads. Rank 0 alone writes
    /// checkpoints and messages and reads a checkpoint to resume from. Ranks whose model, data, options or version of this library
    /// differ are named in an <see cref="ArgumentException"/> before the first step. If any rank is cancelled, all end after the
    /// same step. Of GPUs each rank takes the one that its MLContext names.
    /// <para>
    /// Fitting throws a <see cref="CommunicatorException"/> if another rank fails or does not come, and an
    /// <see cref="InvalidOperationException"/> if the ranks' weights were found to differ.
    /// </para>
    /// </remarks>
    [KeepsResult]
    public Communicator? Communicator { get; set; }

    /// <summary>Receives the progress after every step, on each rank. Default: null.</summary>
    public IProgress<TrainingProgress>? Progress { get; set; }

    /// <summary>
    /// Ends training after the current row or step. The model keeps what it has learned so far, and is usable. Fitting throws
    /// an <see cref="OperationCanceledException"/> instead if the token is already cancelled, and in chain tuning if it is
    /// cancelled before all rows are read. Default: none, which is never cancelled.
    /// </summary>
    /// <remarks>Cancelling the MLContext's execution throws at any time, as in ML.NET's own trainers.</remarks>
    public CancellationToken CancellationToken { get; set; }

    /// <summary>Ends training as cancelling the MLContext's execution does; set by a sweep.</summary>
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
