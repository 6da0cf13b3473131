namespace Microsoft.ML.CoLM;

public sealed partial class CoLMOperations
{
    /// <summary>Metrics of rows that a language model scored.</summary>
    public LanguageModelMetrics EvaluateLanguageModel(IDataView scored, string textColumnName = "Text") =>
        throw new NotImplementedException();

    /// <summary>Metrics at every chain count, from one pass over the rows.</summary>
    public IReadOnlyList<LanguageModelMetrics> EvaluateChainCounts(ITransformer model, IDataView data) =>
        throw new NotImplementedException();
}
