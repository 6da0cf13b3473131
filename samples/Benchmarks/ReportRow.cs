namespace Benchmarks;

/// <summary>A line of a report.</summary>
/// <param name="Name">What was measured.</param>
/// <param name="Unit">The unit of the samples.</param>
/// <param name="Samples">The measurements; null for a ratio that is known without any.</param>
/// <param name="Ratio">Their share of what they are compared with; null for none.</param>
/// <param name="Values">What else is known of it, by name.</param>
internal sealed record ReportRow(
    string Name, string Unit, Samples? Samples, Samples? Ratio, IReadOnlyDictionary<string, double> Values);
