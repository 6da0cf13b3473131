using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>What a batch is to lower.</summary>
/// <param name="Value">A scalar, the caller's to dispose.</param>
/// <param name="TokenCount">Tokens that were read for it, without padding.</param>
internal readonly record struct BatchLoss(Tensor Value, long TokenCount);
