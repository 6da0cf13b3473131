using System.Globalization;

namespace Microsoft.ML.CoLM;

/// <summary>
/// Where generation stands when a <see cref="ChainSchedule"/> is asked for the next token's chain count.
/// </summary>
public sealed class ChainScheduleStep
{
    internal ChainScheduleStep(int position, int generatedTokenCount, double? entropy, double? margin)
    {
        (Position, GeneratedTokenCount) = (position, generatedTokenCount);
        (Entropy, Margin) = (entropy, margin);
    }

    /// <summary>
    /// The place of the token to come, counted from 0; the prompt's tokens, its beginning-of-text token included, stand
    /// before it.
    /// </summary>
    public int Position { get; }

    /// <summary>How many tokens were generated before it.</summary>
    public int GeneratedTokenCount { get; }

    /// <summary>
    /// Entropy, in nats, of the distribution that the token before it was drawn from; at temperature 0, of the model's own
    /// distribution after the repetition penalty. Null before the first token.
    /// </summary>
    public double? Entropy { get; }

    /// <summary>
    /// How much more probable that distribution's first token was than its second, from 0 to 1. Null before the first
    /// token.
    /// </summary>
    public double? Margin { get; }

    /// <summary>All of it in a line.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"Position {Position}, {GeneratedTokenCount} tokens generated") + (Entropy is null ? "" : string.Create(
            CultureInfo.InvariantCulture, $", entropy {Entropy:F4}, margin {Margin:F4}"));
}
