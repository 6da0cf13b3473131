namespace Microsoft.ML.CoLM.Inference;

/// <summary>A token to run through the model.</summary>
/// <param name="Sequence">The sequence it belongs to, counted from 0.</param>
/// <param name="Position">Its place in the sequence, counted from 0.</param>
/// <param name="Token">Its id.</param>
internal readonly record struct DecodingRow(int Sequence, int Position, int Token);
