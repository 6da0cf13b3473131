using Microsoft.ML;
using Microsoft.ML.CoLM;

namespace Samples;

/// <summary>The model of this library in a fitted pipeline.</summary>
internal static class FittedModel
{
    /// <summary>Finds it, also in pipelines in the pipeline; it stays the pipeline's.</summary>
    /// <exception cref="InvalidDataException">There is none.</exception>
    public static CoLMModel Of(ITransformer pipeline) => Find(pipeline)?.Model
        ?? throw new InvalidDataException($"The zip holds no model of this library, found {pipeline.GetType().Name}.");

    private static ElasticScoringTransformer? Find(ITransformer pipeline) => pipeline switch
    {
        ElasticScoringTransformer transformer => transformer,
        IEnumerable<ITransformer> chain => chain.Select(Find).FirstOrDefault(found => found is not null),
        _ => null,
    };
}
