namespace Microsoft.ML.CoLM;

/// <summary>The metric that a sweep ranks its trials by.</summary>
public enum SweepMetric
{
    /// <summary>Mean loss per scored token, natural log; for language models.</summary>
    Loss,

    /// <summary>exp(loss); for language models.</summary>
    Perplexity,

    /// <summary>Share of correct predictions; for binary classification.</summary>
    Accuracy,

    /// <summary>Share of correct predictions; for multiclass classification.</summary>
    MicroAccuracy,

    /// <summary>Per-class share of correct predictions, averaged over classes; for multiclass classification.</summary>
    MacroAccuracy,

    /// <summary>Mean negative log-probability of the true class; for classification.</summary>
    LogLoss,

    /// <summary>Harmonic mean of precision and recall; for binary classification and two-way choices.</summary>
    F1Score,

    /// <summary>Area under the ROC curve; for binary classification.</summary>
    AreaUnderRocCurve,

    /// <summary>Coefficient of determination; for regression.</summary>
    RSquared,

    /// <summary>Root-mean-square error; for regression.</summary>
    RootMeanSquaredError,

    /// <summary>Pearson correlation; for regression.</summary>
    PearsonCorrelation,

    /// <summary>Spearman rank correlation; for regression.</summary>
    SpearmanCorrelation,

    /// <summary>Matthews correlation; for classification and multiple choice.</summary>
    MatthewsCorrelation,

    /// <summary>Share of items whose most probable choice is correct.</summary>
    MultipleChoiceAccuracy,

    /// <summary>Share of items whose choice with the highest log-probability per character is correct.</summary>
    MultipleChoiceNormalizedAccuracy,
}
