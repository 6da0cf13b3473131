using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Scores one row at a time: what a PredictionEngine uses.</summary>
internal sealed class ScoringRowMapper(ElasticScoringTransformer transformer, DataViewSchema inputSchema) : IRowMapper
{
    private readonly DataViewSchema.Column _text =
        ScoringSettings.TextColumn(inputSchema, transformer.Settings.TextColumnName);

    public DataViewSchema.DetachedColumn[] GetOutputColumns() => transformer.Settings.OutputColumns();

    public Func<int, bool> GetDependencies(Func<int, bool> activeOutput)
    {
        var isNeeded = Enumerable.Range(0, GetOutputColumns().Length).Any(activeOutput);
        return column => isNeeded && column == _text.Index;
    }

    public Delegate[] CreateGetters(DataViewRow input, Func<int, bool> activeOutput, out Action? disposer)
    {
        disposer = null;
        if (!Enumerable.Range(0, GetOutputColumns().Length).Any(activeOutput))
            return new Delegate[GetOutputColumns().Length];

        var readText = input.GetGetter<ReadOnlyMemory<char>>(input.Schema[_text.Index]);
        var scorer = transformer.CreateScorer();
        var (position, score) = (-1L, default(TextScore));
        return ScoreGetters.Create(activeOutput, () =>
        {
            // The columns of a row are asked for one after the other, its text is scored once.
            if (position != input.Position)
            {
                ReadOnlyMemory<char> text = default;
                readText(ref text);
                score = scorer.Score([text.ToString()])[0];
                position = input.Position;
            }
            return score;
        });
    }

    public ITransformer GetTransformer() => transformer;

    // The transformer saves itself; a mapper alone is only ever made from one.
    void ICanSaveModel.Save(ModelSaveContext ctx) => ((ICanSaveModel)transformer).Save(ctx);
}
