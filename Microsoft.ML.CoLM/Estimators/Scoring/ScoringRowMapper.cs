using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Scores one row at a time: what a PredictionEngine uses.</summary>
internal sealed class ScoringRowMapper(ElasticScoringTransformer transformer, DataViewSchema inputSchema) : IRowMapper
{
    private readonly DataViewSchema.Column[] _texts = transformer.Settings.Columns.In(inputSchema);

    public DataViewSchema.DetachedColumn[] GetOutputColumns() => transformer.OutputColumns();

    public Func<int, bool> GetDependencies(Func<int, bool> activeOutput)
    {
        var isNeeded = Enumerable.Range(0, GetOutputColumns().Length).Any(activeOutput);
        return column => isNeeded && Array.Exists(_texts, text => text.Index == column);
    }

    public Delegate[] CreateGetters(DataViewRow input, Func<int, bool> activeOutput, out Action? disposer)
    {
        disposer = null;
        var count = GetOutputColumns().Length;
        if (!Enumerable.Range(0, count).Any(activeOutput))
            return new Delegate[count];

        // An engine never says when it has read its last row.
        var getters = transformer.CreateGetters(
            new SingleRow(transformer, input, Array.ConvertAll(_texts, text => input.Schema[text.Index])),
            transformer.CreateChannel(hasEnd: false));
        for (var i = 0; i < count; i++)
        {
            if (!activeOutput(i))
                getters[i] = null!;
        }
        return getters;
    }

    public ITransformer GetTransformer() => transformer;

    // The transformer saves itself; a mapper alone is only ever made from one.
    void ICanSaveModel.Save(ModelSaveContext ctx) => ((ICanSaveModel)transformer).Save(ctx);
}
