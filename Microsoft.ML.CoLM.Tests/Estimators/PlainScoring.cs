using Microsoft.ML.CoLM.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Scoring as a plain loop over <see cref="CoLMModel.forward"/>, a text and a window at a time.</summary>
internal static class PlainScoring
{
    public static (double LogProbability, int TokenCount) Score(
        CoLMModel model, string? text, int chainCount, int? length = null, int? stride = null)
    {
        if (string.IsNullOrEmpty(text))
            return (0, 0);
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var tokens = model.CreateTokenizer().EncodeDocument(text, model.Config.BosTokenId);
        var window = length ?? Math.Max(2, model.Config.ContextLength);
        double sum = 0;
        var next = 1;
        for (var start = 0; next < tokens.Length; start += stride ?? window / 2)
        {
            var end = Math.Min(tokens.Length, start + window);
            var ids = tensor(tokens[start..(end - 1)], dtype: int64).unsqueeze(0);
            var logs = nn.functional.log_softmax(model.forward(ids, chainCount)[0], 1);
            for (; next < end; next++)
                sum += logs[next - 1 - start, tokens[next]].ToDouble();
        }
        return (sum, Math.Max(0, tokens.Length - 1));
    }
}
