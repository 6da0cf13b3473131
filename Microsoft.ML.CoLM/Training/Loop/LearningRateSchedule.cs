namespace Microsoft.ML.CoLM.Training;

/// <summary>Linear warm-up, then decay to zero at the end of training.</summary>
internal sealed record LearningRateSchedule(double Peak, int WarmupSteps, int TotalSteps, LearningRateDecay Decay)
{
    /// <summary>The learning rate of a step, counted from 0.</summary>
    public double At(int step)
    {
        if (step < WarmupSteps)
            return Peak * (step + 1) / WarmupSteps;
        var done = (double)(step - WarmupSteps) / Math.Max(1, TotalSteps - WarmupSteps);
        return Decay switch
        {
            LearningRateDecay.Cosine => Peak * (1 + Math.Cos(Math.PI * done)) / 2,
            LearningRateDecay.Linear => Peak * (1 - done),
            _ => Peak,
        };
    }
}
