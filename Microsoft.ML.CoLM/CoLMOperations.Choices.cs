namespace Microsoft.ML.CoLM;

public sealed partial class CoLMOperations
{
    /// <summary>Metrics of rows that were scored by <see cref="ScoringTask.MultipleChoice"/>.</summary>
    public MultipleChoiceMetrics EvaluateMultipleChoice(IDataView scored, string labelColumnName = "Label") =>
        throw new NotImplementedException();
}
