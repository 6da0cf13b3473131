namespace Microsoft.ML.CoLM.Inference;

/// <summary>A layer's matrix products.</summary>
/// <param name="QueryKeyValue">The attention's projections.</param>
/// <param name="Output">Added to the residual.</param>
/// <param name="GateUp">By turns, some gates and the same outputs of the up projection.</param>
/// <param name="Down">Added to the residual.</param>
internal sealed record LayerPlan(GemvTasks QueryKeyValue, GemvTasks Output, GemvTasks GateUp, GemvTasks Down)
{
    /// <summary>How often threads wait for each other: after each of them, and after the attention.</summary>
    public const int Meetings = 5;

    public IEnumerable<GemvTasks> All => [QueryKeyValue, Output, GateUp, Down];
}
