namespace Microsoft.ML.CoLM;

/// <summary>
/// Where generation stands when a <see cref="ChainSchedule"/> is asked for the next token's chain count.
/// </summary>
/// <param name="Position">
/// The place of the token to come, counted from 0; the prompt's tokens, its beginning-of-text token included, stand
/// before it.
/// </param>
/// <param name="GeneratedTokenCount">How many tokens were generated before it.</param>
/// <param name="Entropy">
/// Entropy, in nats, of the distribution that the token before it was drawn from; at temperature 0, of the model's own
/// distribution after the repetition penalty. Null before the first token.
/// </param>
/// <param name="Margin">
/// How much more probable that distribution's first token was than its second, from 0 to 1. Null before the first
/// token.
/// </param>
public readonly record struct ChainScheduleStep(
    int Position, int GeneratedTokenCount, double? Entropy, double? Margin);
