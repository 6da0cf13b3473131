using Microsoft.ML.CoLM;

namespace SweepSample;

/// <summary>What both kinds of sweeps have.</summary>
/// <param name="Metric">What to judge by; null for what the rows allow.</param>
/// <param name="TextColumn">The texts' column in a file of tab-separated values.</param>
/// <param name="LabelColumn">The labels' column there.</param>
/// <param name="Budgets">Milliseconds a row.</param>
/// <param name="BatchSize">Rows that are scored together where latency is measured.</param>
/// <param name="Chart">The chart to write.</param>
internal sealed record Settings(
    SweepMetric? Metric, string TextColumn, string LabelColumn, double[] Budgets, int BatchSize, string Chart);
