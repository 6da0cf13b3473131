namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>A place in a batch of windows that no window before has covered.</summary>
/// <param name="Row">Its row among the batch's features.</param>
/// <param name="Sequence">Which sequence it belongs to.</param>
/// <param name="Next">The token behind it, counted in the sequence: what its features predict.</param>
internal readonly record struct WindowPosition(long Row, int Sequence, int Next);
