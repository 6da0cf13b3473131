namespace Microsoft.ML.CoLM;

/// <summary>How the learning rate decays after the warm-up.</summary>
public enum LearningRateDecay
{
    /// <summary>Half a cosine, to zero at the last step.</summary>
    Cosine = 0,

    /// <summary>Linear, to zero at the last step.</summary>
    Linear = 1,

    /// <summary>Constant.</summary>
    None = 2,
}
