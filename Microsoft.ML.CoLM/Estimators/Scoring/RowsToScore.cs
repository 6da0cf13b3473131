using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What rows are scored with, while a cursor or an engine reads them.</summary>
/// <param name="Model">The model.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
/// <param name="Source">The rows.</param>
/// <param name="Columns">The columns that are read, for messages.</param>
/// <param name="Windows">How long texts are divided.</param>
/// <param name="Channel">Tells of rows that are cut, and of a cancellation.</param>
internal sealed record RowsToScore(
    CoLMModel Model, Tokenizer Tokenizer, IRowSource Source, TextColumns Columns, TextWindows Windows,
    ScoringChannel Channel);
