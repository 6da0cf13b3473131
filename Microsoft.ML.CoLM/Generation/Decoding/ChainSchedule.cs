namespace Microsoft.ML.CoLM;

/// <summary>Chooses how many chains compute the next token.</summary>
/// <param name="step">The current state of generation.</param>
/// <returns>A chain count from 1 to the model's.</returns>
public delegate int ChainSchedule(ChainScheduleStep step);
