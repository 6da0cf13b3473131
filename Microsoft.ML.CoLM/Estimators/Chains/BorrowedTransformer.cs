using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>
/// A transformer in a second chain, which does not dispose it with itself: the first one does. A zip has the transformer
/// alone.
/// </summary>
internal sealed class BorrowedTransformer : ITransformer
{
    private BorrowedTransformer(ITransformer owned) => Owned = owned;

    /// <summary>What it stands for.</summary>
    public ITransformer Owned { get; }

    bool ITransformer.IsRowToRowMapper => Owned.IsRowToRowMapper;

    /// <summary>What a second chain may have in the place of a transformer: itself, if nothing of it is ever freed.</summary>
    public static ITransformer Of(ITransformer transformer) =>
        transformer is IDisposable && !FreesNothing(transformer) ? new BorrowedTransformer(transformer) : transformer;

    public DataViewSchema GetOutputSchema(DataViewSchema inputSchema) => Owned.GetOutputSchema(inputSchema);

    public IDataView Transform(IDataView input) => Owned.Transform(input);

    IRowToRowMapper ITransformer.GetRowToRowMapper(DataViewSchema inputSchema) => Owned.GetRowToRowMapper(inputSchema);

    void ICanSaveModel.Save(ModelSaveContext ctx) => Owned.Save(ctx);

    // ML.NET's own trainers' models can all be disposed, and hand it on to parameters of which few have anything to free.
    // Explainers and permutation look for these models in the chain, by their types.
    private static bool FreesNothing(ITransformer transformer) =>
        transformer is IPredictionTransformer<object> { Model: not IDisposable } && IsOfMLNet(transformer.GetType());

    private static bool IsOfMLNet(Type? type) => type is not null &&
        (type.IsGenericType && type.GetGenericTypeDefinition() == typeof(PredictionTransformerBase<>) || IsOfMLNet(type.BaseType));
}
