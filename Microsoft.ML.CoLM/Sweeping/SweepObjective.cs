namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What a sweep makes large or small: a metric of scored rows.</summary>
internal sealed class SweepObjective
{
    private SweepObjective(string name, bool isMaximized) => (Name, IsMaximized) = (name, isMaximized);

    /// <summary>One of the named metrics.</summary>
    public static SweepObjective Of(MLContext mlContext, SweepMetric metric, string labelColumnName) =>
        throw new NotImplementedException();

    /// <summary>A metric of the user's own.</summary>
    public static SweepObjective Of(string name, Func<IDataView, double> evaluate, bool isMaximized) =>
        throw new NotImplementedException();

    public string Name { get; }

    public bool IsMaximized { get; }

    /// <summary>Refuses a model whose task has no such metric, and data without the label.</summary>
    /// <exception cref="ArgumentException">The message names the metric, the task and the column.</exception>
    public void Check(ITransformer model, IDataView data) => throw new NotImplementedException();

    /// <summary>The metric of a fitted pipeline on raw rows, at the chain count or cascade that it has.</summary>
    public double Evaluate(ITransformer model, IDataView data) => throw new NotImplementedException();

    /// <summary>The metric at chain counts 1, 2 and so on from one pass; null where there is no such pass.</summary>
    public IReadOnlyList<double>? EvaluateChainCounts(ITransformer model, IDataView data) =>
        throw new NotImplementedException();
}
