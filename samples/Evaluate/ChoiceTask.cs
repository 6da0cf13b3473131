using Microsoft.ML;

namespace Evaluate;

/// <summary>Items with choices.</summary>
/// <param name="Name">What they are called in the report.</param>
/// <param name="Rows">Contexts, choices and labels.</param>
/// <param name="IsNormalized">Whether tables state accuracies by log-probability for each character (acc_norm).</param>
internal sealed record ChoiceTask(string Name, IDataView Rows, bool IsNormalized);
