namespace Microsoft.ML.CoLM.Estimators;

/// <summary>An estimator of this library that trains, and that a sweep can stop.</summary>
internal interface IStoppableEstimator
{
    /// <summary>
    /// Ends fitting with an <see cref="OperationCanceledException"/> after the row, step or batch that it is in, beside
    /// what the options' own token does.
    /// </summary>
    CancellationToken StopToken { set; }
}
