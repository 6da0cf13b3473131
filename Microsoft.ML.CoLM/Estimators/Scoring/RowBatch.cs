namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Rows that are scored together, and which of them is the current one.</summary>
/// <typeparam name="TRow">What is read of a row.</typeparam>
/// <param name="Start">Position of the first row, which tells batches apart.</param>
/// <param name="Rows">The rows; valid until the next batch is asked for.</param>
/// <param name="Index">The current row.</param>
internal readonly record struct RowBatch<TRow>(long Start, IReadOnlyList<TRow> Rows, int Index);
