namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Measures how fast a pipeline scores, after a warm-up.</summary>
internal static class LatencyMeter
{
    /// <param name="model">The fitted pipeline, at the chain count that it has.</param>
    /// <param name="data">Raw rows.</param>
    /// <param name="batchSize">Rows that are scored together.</param>
    /// <param name="cancellationToken">Ends it between two batches.</param>
    public static Latency Measure(
        ITransformer model, IDataView data, int batchSize, CancellationToken cancellationToken) =>
        throw new NotImplementedException();
}
