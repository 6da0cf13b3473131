using Microsoft.ML.CoLM.Estimators;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>What a sweep makes large or small: a metric of scored rows.</summary>
internal sealed class SweepObjective
{
    private readonly NamedMetric? _named;
    private readonly Func<IDataView, double>? _evaluate;

    private SweepObjective(string name, bool isMaximized, NamedMetric? named, Func<IDataView, double>? evaluate) =>
        (Name, IsMaximized, _named, _evaluate) = (name, isMaximized, named, evaluate);

    /// <summary>One of the named metrics.</summary>
    public static SweepObjective Of(MLContext mlContext, SweepMetric metric, string labelColumnName) => new(
        metric.ToString(), SweepMetrics.IsMaximized(metric), new NamedMetric(mlContext, metric, labelColumnName), evaluate: null);

    /// <summary>A metric of the user's own.</summary>
    public static SweepObjective Of(string name, Func<IDataView, double> evaluate, bool isMaximized) =>
        new(name, isMaximized, named: null, evaluate);

    public string Name { get; }

    public bool IsMaximized { get; }

    /// <summary>Whether the metric is one that language models alone have.</summary>
    public bool IsOfLanguage => _named is not null && Name is nameof(SweepMetric.Loss) or nameof(SweepMetric.Perplexity);

    /// <summary>Refuses a model whose task has no such metric, and data without the label.</summary>
    /// <remarks>Labels are read, but no row is scored.</remarks>
    /// <exception cref="ArgumentException">The message names the metric, the task and the column.</exception>
    public void Check(ITransformer model, IDataView data)
    {
        var role = DataRole.ValidationSet;
        try
        {
            _ = model.GetOutputSchema(data.Schema);
        }
        catch (Exception e) when (e is ArgumentException or InvalidOperationException and not ObjectDisposedException)
        {
            var message = $"{role.Name} does not fit the pipeline: {e.Message}";
            throw new ArgumentException(message.EndsWith(role.Advice, StringComparison.Ordinal) ? message : message + role.Advice, e);
        }
        _named?.Check(model, data);
    }

    /// <summary>The metric of a fitted pipeline on raw rows, at the chain count or cascade that it has.</summary>
    public double Evaluate(ITransformer model, IDataView data) =>
        _named?.Evaluate(model, data) ?? _evaluate!(model.Transform(data));

    /// <summary>The metric at chain counts 1, 2 and so on from one pass; null where there is no such pass.</summary>
    public IReadOnlyList<double>? EvaluateChainCounts(ITransformer model, IDataView data) =>
        _named?.EvaluateChainCounts(model, data);
}
