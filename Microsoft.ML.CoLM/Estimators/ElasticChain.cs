namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Fitted chains of transformers that hold one <see cref="ElasticScoringTransformer"/>, also chains in chains.</summary>
internal static class ElasticChain
{
    /// <summary>The one that a fitted pipeline holds.</summary>
    /// <exception cref="ArgumentException">There is none, or more than one; the message lists what is there.</exception>
    public static ElasticScoringTransformer Find(ITransformer model) => throw new NotImplementedException();

    /// <summary>The same pipeline with another one in its place; shares everything else, and is disposed apart.</summary>
    /// <exception cref="ArgumentException">There is none, or more than one; the message lists what is there.</exception>
    public static ITransformer Replace(
        ITransformer model, Func<ElasticScoringTransformer, ElasticScoringTransformer> replace) =>
        throw new NotImplementedException();
}
