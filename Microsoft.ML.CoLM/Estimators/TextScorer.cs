using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>From texts to scores, at one chain count.</summary>
internal sealed class TextScorer(CoLMModel model, Tokenizer tokenizer, int chainCount)
{
    /// <summary>Scores texts together; an empty text scores zero tokens.</summary>
    public TextScore[] Score(IReadOnlyList<string> texts)
    {
        int[][] sequences = [.. texts.Select(text => text.Length == 0
            ? [] : tokenizer.EncodeDocument(text, model.Config.BosTokenId))];
        var sums = SequenceScorer.Score(model, sequences, chainCount);
        return [.. sums.Select((sum, i) => new TextScore(sum, SequenceScorer.ScoredTokens(sequences[i].Length)))];
    }
}
