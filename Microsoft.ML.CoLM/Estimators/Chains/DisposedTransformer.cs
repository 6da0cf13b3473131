using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What is said of a transformer that was disposed: most often an engine did it.</summary>
internal static class DisposedTransformer
{
    public const string Message =
        $"The transformer was disposed. A PredictionEngine that is disposed takes its transformer with it unless " +
        $"{Options}.{Owns} is false: where an engine is made for each request, make it with " +
        $"{Engine}<TSrc, TDst>(transformer, new {Options} {{ {Owns} = false }}), or keep one " +
        $"Model.CreatePredictionEnginePool<TSrc, TDst>(transformer) for all requests.";

    private const string Engine = nameof(ModelOperationsCatalog.CreatePredictionEngine);
    private const string Options = nameof(PredictionEngineOptions);
    private const string Owns = nameof(PredictionEngineOptions.OwnsTransformer);
}
