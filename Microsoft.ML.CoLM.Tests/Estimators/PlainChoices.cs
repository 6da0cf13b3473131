using System.Text;
using Microsoft.ML.CoLM.Tokenizers;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>Choices scored by a plain loop over <see cref="CoLMModel.forward"/>, with a token for each byte.</summary>
internal static class PlainChoices
{
    public static double Score(CoLMModel model, string? context, string? choice, int chainCount)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var scored = Encoding.UTF8.GetByteCount($" {choice}") + Encoding.UTF8.GetByteCount(context![context!.TrimEnd().Length..]);
        long[] tokens = [ByteTokenizer.BeginningOfTextId, .. Encoding.UTF8.GetBytes($"{context} {choice}").Select(value => (long)value)];
        tokens = [.. tokens.TakeLast(model.Config.ContextLength + 1)];
        var logs = nn.functional.log_softmax(model.forward(tensor(tokens[..^1]).unsqueeze(0), chainCount)[0], 1);
        var sum = 0.0;
        for (var next = Math.Max(1, tokens.Length - scored); next < tokens.Length; next++)
            sum += logs[next - 1, tokens[next]].ToDouble();
        return sum;
    }
}
