namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Texts that are scored together, and which of them is a row's.</summary>
/// <param name="Start">Position of the first text's row, which tells batches apart.</param>
/// <param name="Texts">The texts; valid until the next batch is asked for.</param>
/// <param name="Index">The row's text.</param>
internal readonly record struct TextBatch(long Start, IReadOnlyList<RowText> Texts, int Index);
