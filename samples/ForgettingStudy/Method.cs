using Microsoft.ML.CoLM;

namespace ForgettingStudy;

/// <summary>A way to tune.</summary>
/// <param name="Name">What <c>--methods</c> calls it.</param>
/// <param name="Title">What the table calls it.</param>
/// <param name="IsExpanded">Whether it tunes the expanded model; otherwise the base.</param>
/// <param name="FreezesBase">Whether the base, the first chain, stays as it is.</param>
/// <param name="HasAdapters">Whether adapters are trained instead of weights.</param>
/// <param name="LearningRate">
/// The learning rate where none is given or chosen: usual ones for a model this small, adapters' higher than weights'.
/// </param>
internal sealed record Method(
    string Name, string Title, bool IsExpanded, bool FreezesBase, bool HasAdapters, double LearningRate)
{
    public static readonly Method ChainTuning = new(
        "chain", "Chain Tuning", IsExpanded: true, FreezesBase: true, HasAdapters: false, 2e-3);

    public static readonly Method ChainTuningLora = new(
        "chain-lora", "Chain Tuning + LoRA", IsExpanded: true, FreezesBase: true, HasAdapters: true, 4e-3);

    public static readonly Method Lora = new(
        "lora", "LoRA on the base", IsExpanded: false, FreezesBase: false, HasAdapters: true, 4e-3);

    public static readonly Method Full = new(
        "full", "full fine-tuning of the base", IsExpanded: false, FreezesBase: false, HasAdapters: false, 1e-3);

    public static readonly Method FullExpanded = new(
        "full-expanded", "full fine-tuning of the expanded model", IsExpanded: true, FreezesBase: false,
        HasAdapters: false, 1e-3);

    public static readonly Method ChainTuningFirst = ChainTuning with
    {
        Name = "chain-first",
        Title = "Chain Tuning for 1 chain alone",
        Scales = TrainedScales.First,
    };

    public static readonly Method ChainTuningLast = ChainTuning with
    {
        Name = "chain-last",
        Title = "Chain Tuning for all chains alone",
        Scales = TrainedScales.Last,
    };

    /// <summary>Those that the study compares.</summary>
    public static readonly Method[] Compared = [ChainTuning, ChainTuningLora, Lora, Full, FullExpanded];

    /// <summary>And those that show what training all chain counts together costs each.</summary>
    public static readonly Method[] All = [.. Compared, ChainTuningFirst, ChainTuningLast];

    // What the last scale counts where the first is trained alone: the library has it count for something, and the optimizer
    // adds 1e-8 to what it divides by.
    private const double Nothing = 1e-15;

    /// <summary>Which chain counts are trained.</summary>
    public TrainedScales Scales { get; init; }

    /// <summary>Whether a chain count is trained: 0 is the first.</summary>
    /// <param name="scale">Which.</param>
    /// <param name="count">How many there are.</param>
    public bool Trains(int scale, int count) => Scales switch
    {
        TrainedScales.First => scale == 0,
        TrainedScales.Last => scale == count - 1,
        _ => scale < count,
    };

    /// <summary>The chain count that tells how well it does, the largest that is trained.</summary>
    public Index Judged => Scales == TrainedScales.First ? 0 : ^1;

    /// <summary>The method of a name.</summary>
    /// <exception cref="ArgumentException">There is none.</exception>
    public static Method Of(string name) => Array.Find(All, method => method.Name == name) ??
        throw new ArgumentException(
            $"--methods must name some of {string.Join(", ", All.Select(method => method.Name))}; found '{name}'.");

    /// <summary>The options that make it this method.</summary>
    /// <param name="model">The base or the expanded model.</param>
    /// <param name="run">Rank and alpha of adapters.</param>
    public ChainTuningEstimator.Options Options(ElasticScoringTransformer model, RunSettings run) => new()
    {
        Transformer = model,
        FrozenChains = FreezesBase ? 1 : 0,
        AddedChains = [],
        Objective = Scales == TrainedScales.Last ? TrainingObjective.LastScale : TrainingObjective.MultiChain,
        ScaleWeights = Scales == TrainedScales.First ? FirstOf(model.ChainCount) : null,
        Lora = HasAdapters ? new LoraOptions { Rank = run.LoraRank, Alpha = run.LoraAlpha } : null,
    };

    private static double[] FirstOf(int scales) => [1, .. new double[scales - 2], Nothing];
}
