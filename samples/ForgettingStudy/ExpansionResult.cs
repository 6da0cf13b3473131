namespace ForgettingStudy;

/// <summary>What is known before tuning. Losses are of the stories, mean of a token, natural log.</summary>
/// <param name="Stories">Stories that the losses are of.</param>
/// <param name="BaseParameters">Parameters of the base.</param>
/// <param name="Parameters">Parameters of the expanded model.</param>
/// <param name="BaseLoss">The base's loss.</param>
/// <param name="LossAtOne">The expanded model's loss at chain count 1.</param>
/// <param name="LossAtTop">Its loss with all chains.</param>
/// <param name="IsUnchanged">Whether every story scores the same, to the bit, at chain count 1 as with the base.</param>
/// <param name="Seconds">Time for the expansion.</param>
internal sealed record ExpansionResult(
    int Stories, long BaseParameters, long Parameters, double BaseLoss, double LossAtOne, double LossAtTop,
    bool IsUnchanged, double Seconds);
