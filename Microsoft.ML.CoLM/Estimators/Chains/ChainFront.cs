namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What stands before the <see cref="ElasticScoringTransformer"/> of a fitted pipeline.</summary>
internal static class ChainFront
{
    /// <summary>The rows as the scorer gets them.</summary>
    /// <param name="model">The pipeline.</param>
    /// <param name="scorer">The one that it holds.</param>
    /// <param name="data">The rows that the pipeline gets.</param>
    public static IDataView Transform(ITransformer model, ElasticScoringTransformer scorer, IDataView data)
    {
        foreach (var transformer in ElasticChain.Flatten(model).TakeWhile(transformer => transformer != scorer))
            data = transformer.Transform(data);
        return data;
    }
}
