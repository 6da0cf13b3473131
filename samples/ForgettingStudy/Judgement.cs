using System.Text.Json.Serialization;

namespace ForgettingStudy;

/// <summary>What a tuned model reaches, and what it forgot.</summary>
/// <param name="Right">
/// For each chain count from 1 on, a digit for each judged row: 1 where the model is right.
/// </param>
/// <param name="StoriesAtOne">Loss on stories, at chain count 1.</param>
/// <param name="StoriesAtTop">The same with all chains.</param>
/// <param name="IsUnchanged">
/// Whether every story scores the same, to the bit, at chain count 1 as with the base before.
/// </param>
internal sealed record Judgement(string[] Right, double StoriesAtOne, double StoriesAtTop, bool IsUnchanged)
{
    /// <summary>Accuracy on the judged rows at each chain count from 1 on.</summary>
    [JsonIgnore]
    public double[] Accuracies => Array.ConvertAll(Right, rows => rows.Average(row => row == '1' ? 1.0 : 0));
}
