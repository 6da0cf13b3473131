namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What fitting an estimator will take, known before it begins.</summary>
internal static class MemoryEstimate
{
    /// <summary>
    /// Bytes for the parameters, the optimizer and the caches of this library's estimators in a pipeline; null where it has
    /// none of them, or one whose fitting will fail before it takes memory.
    /// </summary>
    /// <remarks>
    /// No more than what is certain: features of the batch that is trained on come on top of it. Of several estimators it is
    /// the sum.
    /// </remarks>
    /// <param name="estimator">The pipeline.</param>
    /// <param name="data">
    /// What it will be fitted to; null, or data without the text, counts all memory that kept features may take.
    /// </param>
    public static long? Of(IEstimator<ITransformer> estimator, IDataView? data = null)
    {
        try
        {
            long? sum = null;
            foreach (var part in EstimatorStop.Flatten(estimator))
            {
                long? bytes = part switch
                {
                    ChainTuningEstimator tuning => tuning.MemoryOfFit(data),
                    ChainExpansionEstimator expansion => expansion.MemoryOfFit(),
                    ElasticScoringEstimator scoring => scoring.MemoryOfFit(),
                    _ => null,
                };
                if (bytes is not null)
                    sum = Estimators.FitMemory.Sum(sum ?? 0, bytes.Value);
            }
            return sum;
        }
        catch (Exception e) when (e is ArgumentException or IOException or InvalidDataException or InvalidOperationException
            or NotSupportedException or UnauthorizedAccessException)
        {
            // Fitting says it, and better.
            return null;
        }
    }
}
