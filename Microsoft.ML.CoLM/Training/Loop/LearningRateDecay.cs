namespace Microsoft.ML.CoLM;

/// <summary>How the learning rate falls after the warm-up.</summary>
public enum LearningRateDecay
{
    /// <summary>Along half a cosine, to zero at the last step.</summary>
    Cosine = 0,

    /// <summary>In a straight line, to zero at the last step.</summary>
    Linear = 1,

    /// <summary>Not at all.</summary>
    None = 2,
}
