using Microsoft.ML.CoLM;

namespace ForgettingStudy;

/// <summary>How the expanded model is made; equal settings make the same one.</summary>
/// <param name="Chains">Attention heads of each added chain, for example <c>8</c> or <c>8,4</c>.</param>
/// <param name="KvSharing">Whether the added chains read the base's keys and values, or have their own.</param>
/// <param name="Initialization">What they start as.</param>
/// <param name="Steps">Optimizer steps on the stories; 0 leaves the chains as they start.</param>
/// <param name="Inputs">Fingerprint of the base and the stories.</param>
internal sealed record ExpansionSettings(
    string Chains, bool KvSharing, ChainInitialization Initialization, int Steps, string Inputs);
