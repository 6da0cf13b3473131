namespace Microsoft.ML.CoLM;

/// <summary>Says how many chains compute the next token.</summary>
/// <param name="step">Where generation stands.</param>
/// <returns>A chain count from 1 to the model's.</returns>
public delegate int ChainSchedule(ChainScheduleStep step);
