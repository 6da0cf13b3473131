using Microsoft.ML.CoLM.Evaluation;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Rows to train on, and rows to judge by.</summary>
internal readonly record struct Fold(IDataView Train, IDataView Validation);
