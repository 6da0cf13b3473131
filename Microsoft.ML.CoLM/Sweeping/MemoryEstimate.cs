namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What fitting an estimator will take, known before it begins.</summary>
internal static class MemoryEstimate
{
    /// <summary>
    /// Bytes for the parameters, the optimizer and the caches of this library's estimators in a pipeline; null where it has
    /// none of them.
    /// </summary>
    public static long? Of(IEstimator<ITransformer> estimator) => throw new NotImplementedException();
}
