using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Fitted chains of transformers that hold one <see cref="ElasticScoringTransformer"/>, also chains in chains.</summary>
internal static class ElasticChain
{
    /// <summary>The one that a fitted pipeline holds.</summary>
    /// <exception cref="ArgumentException">There is none, or more than one; the message lists what is there.</exception>
    public static ElasticScoringTransformer Find(ITransformer model)
    {
        ArgumentNullException.ThrowIfNull(model);
        ITransformer[] all = [.. Flatten(model)];
        ElasticScoringTransformer[] found = [.. all.OfType<ElasticScoringTransformer>()];
        if (found.Length == 1)
            return found[0];
        var names = all.Length == 0 ? "no transformer" : string.Join(", ", all.Select(Name));
        throw new ArgumentException($"The model must hold exactly one {nameof(ElasticScoringTransformer)}, found " +
            FormattableString.Invariant($"{found.Length} in: {names}."), nameof(model));
    }

    /// <summary>The transformers of a pipeline in their order, without the chains that they are in.</summary>
    public static IEnumerable<ITransformer> Flatten(ITransformer model) =>
        model is ITransformerChainAccessor chain ? chain.Transformers.SelectMany(Flatten) : [model];

    /// <summary>
    /// The same pipeline with another one in its place. It shares everything else and is disposed apart: with the chain
    /// that is returned goes the new one alone, and what else holds memory goes with the old chain.
    /// </summary>
    /// <param name="model">The pipeline.</param>
    /// <param name="replace">Makes the new one, which is disposed if the pipeline refuses it.</param>
    /// <exception cref="ArgumentException">
    /// There is none, or more than one; or a trainer's model reads its features, and the new one's are of another size.
    /// </exception>
    public static ITransformer Replace(
        ITransformer model, Func<ElasticScoringTransformer, ElasticScoringTransformer> replace)
    {
        var found = Find(model);
        var made = replace(found);
        try
        {
            CheckReaders(model, found, made);
            return Copy(model, made);
        }
        catch
        {
            made.Dispose();
            throw;
        }
    }

    private static ITransformer Copy(ITransformer transformer, ElasticScoringTransformer made) => transformer switch
    {
        ElasticScoringTransformer => made,
        ITransformerChainAccessor chain => CreateChain(
            transformer.GetType(), Array.ConvertAll(chain.Transformers, part => Copy(part, made)), chain.Scopes),
        _ => BorrowedTransformer.Of(transformer),
    };

    // A TransformerChain<T> of the same T, as long as its last transformer is still one.
    private static ITransformer CreateChain(Type type, ITransformer[] transformers, TransformerScope[] scopes)
    {
        if (transformers is [.., var last] && !type.GetGenericArguments()[0].IsInstanceOfType(last))
            type = typeof(TransformerChain<ITransformer>);
        return (ITransformer)Activator.CreateInstance(type, transformers, scopes)!;
    }

    // Otherwise ML.NET says so where the first row is read, and not why.
    private static void CheckReaders(ITransformer model, ElasticScoringTransformer found, ElasticScoringTransformer made)
    {
        if (made.Settings.Scorer is not FeatureRowScorer { FeaturesColumnName: var name } || made.ChainCount == found.ChainCount)
            return;
        var (before, after) = (found.OutputColumns()[0].Type, made.OutputColumns()[0].Type);
        var reader = Flatten(model).SkipWhile(transformer => transformer != found)
            .OfType<ISingleFeaturePredictionTransformer<object>>()
            .FirstOrDefault(reader => reader.FeatureColumnName == name && before.Equals(reader.FeatureColumnType));
        if (reader is not null)
        {
            throw new ArgumentException($"With {nameof(made.ChainCount)} {made.ChainCount}, column '{name}' would be " +
                $"{after}, and {Name(reader)} was trained on {before}: fit the pipeline anew for each chain count.");
        }
    }

    private static string Name(ITransformer transformer) =>
        transformer is BorrowedTransformer borrowed ? Name(borrowed.Owned) : transformer.GetType().Name.Split('`')[0];
}
