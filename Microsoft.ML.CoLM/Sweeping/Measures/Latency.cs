namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>How fast a pipeline scores.</summary>
/// <param name="Median">Milliseconds that half of the rows take at most.</param>
/// <param name="Percentile95">Milliseconds that 95 of 100 rows take at most.</param>
/// <param name="RowsPerSecond">Rows scored in a second.</param>
internal readonly record struct Latency(double Median, double Percentile95, double RowsPerSecond);
