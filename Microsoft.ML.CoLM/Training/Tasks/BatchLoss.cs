using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>What a batch is to lower: a sum and a count, so that batches add up to what one of all would be.</summary>
/// <param name="Sum">A scalar: the losses of the batch's tokens or rows, added up; the caller's to dispose.</param>
/// <param name="Count">What to divide the sum by: how many they are, or what they weigh together.</param>
/// <param name="TokenCount">Tokens that were read for it, without padding.</param>
internal readonly record struct BatchLoss(Tensor Sum, double Count, long TokenCount);
