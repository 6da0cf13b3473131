using static TorchSharp.torch;

namespace ForgettingStudy;

/// <summary>What a run depends on; a run of equal settings is not done twice.</summary>
/// <param name="Method">The name of the method.</param>
/// <param name="Seed">Seed of new weights and of the rows' order.</param>
/// <param name="Rows">How many first rows are trained on; null for all.</param>
/// <param name="IsJudged">Whether it is of the table; otherwise it is one of those that settings are chosen by.</param>
/// <param name="LeavesOutOverlap">Whether training rows that contain judged ones are left out.</param>
/// <param name="Epochs">Passes over them.</param>
/// <param name="Batch">Rows of a step.</param>
/// <param name="Recipe">What is chosen for the method.</param>
/// <param name="RestoresBest">Whether the weights of the best validation are taken, instead of the last step's.</param>
/// <param name="LoraRank">Rank of adapters; 0 for methods without.</param>
/// <param name="LoraAlpha">Their alpha; 0 for methods without.</param>
/// <param name="ValidationsPerEpoch">How often an epoch is interrupted for a validation.</param>
/// <param name="FeatureMemory">MiB of memory that features of frozen chains may take.</param>
/// <param name="FeatureDisk">MiB of disk that they may take beside it.</param>
/// <param name="AtOnce">How many runs share the cores: times depend on it, and sums to rounding.</param>
/// <param name="Expansion">How the expanded model was made; null for methods on the base.</param>
/// <param name="Inputs">Fingerprint of the base and all texts.</param>
internal sealed record RunSettings(
    string Method, int Seed, int? Rows, bool IsJudged, bool LeavesOutOverlap, int Epochs, int Batch, Recipe Recipe, bool RestoresBest, int LoraRank,
    double LoraAlpha, int ValidationsPerEpoch, int FeatureMemory, int FeatureDisk, int AtOnce, ExpansionSettings? Expansion,
    string Inputs)
{
    /// <summary>The type that the model is tuned in.</summary>
    public ScalarType DataType { get; init; } = ScalarType.Float32;
}
