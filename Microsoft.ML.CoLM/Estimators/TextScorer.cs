using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>From texts of a column to scores, at one chain count.</summary>
internal sealed class TextScorer(CoLMModel model, Tokenizer tokenizer, int chainCount, string columnName)
{
    /// <summary>Scores texts together; an empty text scores zero tokens.</summary>
    public TextScore[] Score(IReadOnlyList<string> texts)
    {
        int[][] sequences = [.. texts.Select(text => text.Length == 0
            ? [] : tokenizer.EncodeRow(text, model.Config, columnName))];
        var sums = SequenceScorer.Score(model, sequences, chainCount);
        return [.. sums.Select((sum, i) => new TextScore(sum, SequenceScorer.ScoredTokens(sequences[i].Length)))];
    }
}
