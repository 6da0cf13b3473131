using System.Reflection;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>Hands a token to all estimators of this library in a pipeline, until it is disposed.</summary>
internal sealed class EstimatorStop : IDisposable
{
    private readonly IStoppableEstimator[] _estimators;

    public EstimatorStop(IEstimator<ITransformer> pipeline, CancellationToken token)
    {
        _estimators = [.. Flatten(pipeline).OfType<IStoppableEstimator>()];
        foreach (var estimator in _estimators)
            estimator.StopToken = token;
    }

    // They may be the user's own, and be fitted again.
    public void Dispose()
    {
        foreach (var estimator in _estimators)
            estimator.StopToken = default;
    }

    /// <summary>The estimators of a pipeline, of pipelines in it, too.</summary>
    internal static IEnumerable<IEstimator<ITransformer>> Flatten(IEstimator<ITransformer> pipeline) =>
        PartsOf(pipeline) is { } parts ? parts.SelectMany(Flatten) : [pipeline];

    // ML.NET shows a pipeline's last estimator alone.
    private static IEstimator<ITransformer>[]? PartsOf(IEstimator<ITransformer> pipeline)
    {
        var type = pipeline.GetType();
        return type.IsGenericType && type.GetGenericTypeDefinition() == typeof(EstimatorChain<>)
            ? (IEstimator<ITransformer>[]?)type.GetField("_estimators", BindingFlags.Instance | BindingFlags.NonPublic)?.GetValue(pipeline)
            : null;
    }
}
