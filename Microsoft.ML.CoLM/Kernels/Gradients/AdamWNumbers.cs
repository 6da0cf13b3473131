namespace Microsoft.ML.CoLM.Kernels;

/// <summary>What a step of AdamW multiplies by, in float32 as libtorch does.</summary>
/// <param name="Share">The gradient's factor, before anything else.</param>
/// <param name="Old1">What is left of the mean gradient.</param>
/// <param name="New1">What the mean takes of the gradient.</param>
/// <param name="Old2">What is left of the mean squared gradient.</param>
/// <param name="New2">What that takes of the gradient's square.</param>
/// <param name="Root">What the root of the mean squared gradient is divided by.</param>
/// <param name="Epsilon">What is added to the quotient.</param>
/// <param name="Decay">What is left of a weight.</param>
/// <param name="Step">What a weight takes of the mean gradient divided by that.</param>
internal readonly record struct AdamWNumbers(
    float Share, float Old1, float New1, float Old2, float New2, float Root, float Epsilon, float Decay, float Step);
