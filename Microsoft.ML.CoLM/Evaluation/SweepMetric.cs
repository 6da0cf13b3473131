namespace Microsoft.ML.CoLM;

/// <summary>What a sweep judges its trials by.</summary>
public enum SweepMetric
{
    /// <summary>Mean loss of a scored token, natural log; of language models.</summary>
    Loss,

    /// <summary>exp(loss); of language models.</summary>
    Perplexity,

    /// <summary>Share of right predictions; of binary classification.</summary>
    Accuracy,

    /// <summary>Share of right predictions; of multiclass classification.</summary>
    MicroAccuracy,

    /// <summary>Mean over classes of the share of right predictions; of multiclass classification.</summary>
    MacroAccuracy,

    /// <summary>Mean negative log-probability of the true class; of classification.</summary>
    LogLoss,

    /// <summary>Harmonic mean of precision and recall; of binary classification and of choices between two.</summary>
    F1Score,

    /// <summary>Area under the ROC curve; of binary classification.</summary>
    AreaUnderRocCurve,

    /// <summary>Coefficient of determination; of regression.</summary>
    RSquared,

    /// <summary>Root of the mean squared error; of regression.</summary>
    RootMeanSquaredError,

    /// <summary>Pearson's correlation; of regression.</summary>
    PearsonCorrelation,

    /// <summary>Spearman's correlation of ranks; of regression.</summary>
    SpearmanCorrelation,

    /// <summary>Matthews' correlation; of classification and of multiple choice.</summary>
    MatthewsCorrelation,

    /// <summary>Share of items whose most probable choice is right.</summary>
    MultipleChoiceAccuracy,

    /// <summary>Share of items whose choice with the largest log-probability a character is right.</summary>
    MultipleChoiceNormalizedAccuracy,
}
