namespace Microsoft.ML.CoLM.Training;

/// <summary>What decides the result of a training: one that differs in any of it is another.</summary>
/// <param name="Seed">The seed, also one that was drawn.</param>
/// <param name="Options">The options that matter, as text.</param>
/// <param name="Model">Fingerprint of the model and the trained parameters before the first step.</param>
/// <param name="Data">Fingerprint of the training data and the validation set.</param>
/// <param name="Products">What multiplies matrices, as <see cref="MatrixProducts"/> writes it; null in checkpoints of older versions.</param>
internal sealed record RunIdentity(
    int Seed, IReadOnlyDictionary<string, string> Options, string Model, string Data, string? Products = null);
