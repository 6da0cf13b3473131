namespace Microsoft.ML.CoLM;

public sealed partial class CoLMOperations
{
    /// <summary>Reads the published file of a task.</summary>
    public IDataView LoadBenchmark(LanguageBenchmark benchmark, string path, string? labelsPath = null) =>
        throw new NotImplementedException();

    /// <summary>Correlations of predicted numbers with the labels.</summary>
    public CorrelationMetrics EvaluateCorrelation(
        IDataView scored, string labelColumnName = "Label", string scoreColumnName = "Score") =>
        throw new NotImplementedException();
}
