namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>What a task head says of a sequence.</summary>
/// <param name="Outputs">Its outputs.</param>
/// <param name="ChainsUsed">The chain count that they are of.</param>
internal readonly record struct Prediction(float[] Outputs, int ChainsUsed);
