using Microsoft.ML.CoLM.Estimators;

namespace Microsoft.ML.CoLM.Tests.Sweeping;

/// <summary>Remembers every model that estimators make.</summary>
internal sealed class FittedModels
{
    public List<CoLMModel> Models { get; } = [];

    /// <summary>An estimator that does the same, and is watched.</summary>
    public IEstimator<ITransformer> Of(IEstimator<ITransformer> estimator) => new FakeEstimator(data =>
    {
        var fitted = estimator.Fit(data);
        Models.Add(ElasticChain.Find(fitted).Model);
        return fitted;
    });

    public static bool IsDisposed(CoLMModel model)
    {
        try
        {
            return model.ParameterCount(1) < 0;
        }
        catch (ObjectDisposedException)
        {
            return true;
        }
    }
}
