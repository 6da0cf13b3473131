using System.Globalization;

namespace Microsoft.ML.CoLM;

/// <summary>
/// The state of generation when a <see cref="ChainSchedule"/> is called for the next token's chain count.
/// </summary>
public sealed class ChainScheduleStep
{
    internal ChainScheduleStep(int position, int generatedTokenCount, double? entropy, double? margin)
    {
        (Position, GeneratedTokenCount) = (position, generatedTokenCount);
        (Entropy, Margin) = (entropy, margin);
    }

    /// <summary>
    /// The position of the next token, counted from 0; it follows the prompt's tokens, including the beginning-of-text token.
    /// </summary>
    public int Position { get; }

    /// <summary>The number of tokens generated before it.</summary>
    public int GeneratedTokenCount { get; }

    /// <summary>
    /// The entropy, in nats, of the distribution that the previous token was drawn from; at temperature 0, of the model's own
    /// distribution after the repetition penalty. Null before the first token.
    /// </summary>
    public double? Entropy { get; }

    /// <summary>
    /// How much more probable that distribution's most probable token was than the second, from 0 to 1. Null before the first
    /// token.
    /// </summary>
    public double? Margin { get; }

    /// <summary>Returns the state in one line.</summary>
    public override string ToString() => string.Create(CultureInfo.InvariantCulture,
        $"Position {Position}, {GeneratedTokenCount} tokens generated") + (Entropy is null ? "" : string.Create(
            CultureInfo.InvariantCulture, $", entropy {Entropy:F4}, margin {Margin:F4}"));
}
