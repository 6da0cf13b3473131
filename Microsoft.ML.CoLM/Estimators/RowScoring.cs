using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What rows are scored with, while a cursor or an engine reads them.</summary>
/// <param name="Model">The model.</param>
/// <param name="Tokenizer">Its tokenizer.</param>
/// <param name="Texts">The rows' texts.</param>
/// <param name="Columns">Where they come from, for messages.</param>
/// <param name="Windows">How long texts are divided.</param>
/// <param name="Channel">Tells of rows that are cut, and of a cancellation.</param>
internal sealed record RowScoring(
    CoLMModel Model, Tokenizer Tokenizer, ITextBatches Texts, TextColumns Columns, TextWindows Windows,
    ScoringChannel Channel);
