using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Kernels;

/// <summary>By what heads are rotated.</summary>
/// <param name="Cosine">[length, d / 2], contiguous, of the features' type.</param>
/// <param name="Sine">[length, d / 2], as the cosine.</param>
/// <param name="IsBack">Whether they are rotated back.</param>
internal sealed record HeadAngles(Tensor Cosine, Tensor Sine, bool IsBack = false);
