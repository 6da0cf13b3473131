using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.CoLM.Training;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The task <see cref="TaskKind.MultipleChoice"/>.</summary>
/// <param name="Depth">How many chains a row is scored with.</param>
/// <param name="ScoreColumnName">Vector of Single: each choice's log-probability.</param>
/// <param name="NormalizedScoreColumnName">Vector of Single: the same for each character.</param>
/// <param name="PredictedLabelColumnName">Int32: the index of the greatest score.</param>
/// <param name="NormalizedPredictedLabelColumnName">Int32: the index of the greatest normalised score.</param>
internal sealed record MultipleChoiceRowScorer(
    Depth Depth, string ScoreColumnName, string NormalizedScoreColumnName, string PredictedLabelColumnName,
    string NormalizedPredictedLabelColumnName) : RowScorer(Depth)
{
    public override TaskKind Kind => TaskKind.MultipleChoice;

    public override string? OnlyReads => "the end";

    protected override string? WhyNoCascade => $"{ScoringTask.MultipleChoice} has no cascade.";

    public override DataViewSchema.DetachedColumn[] OutputColumns(CoLMConfig? config) =>
    [
        // Rows may have different numbers of choices.
        new(ScoreColumnName, new VectorDataViewType(NumberDataViewType.Single)),
        new(NormalizedScoreColumnName, new VectorDataViewType(NumberDataViewType.Single)),
        new(PredictedLabelColumnName, NumberDataViewType.Int32),
        new(NormalizedPredictedLabelColumnName, NumberDataViewType.Int32),
    ];

    public override Delegate[] CreateGetters(RowsToScore rows)
    {
        Action checkAlive = rows.Channel.CheckAlive;
        var encoder = new ChoiceEncoder(
            rows.Tokenizer, rows.Model.Config, rows.Columns.First, rows.Columns.Second!, checkAlive);
        var scores = new BatchScores<RowChoices, ChoiceScores>(rows.Source, RowChoicesReader.Create, batch =>
        {
            var sums = ChoiceScorer.Score(
                rows.Model, [.. batch.Select(row => Encode(rows, encoder, row))], Depth.ChainCount, checkAlive);
            return [.. batch.Select((row, i) => ChoiceScores.Of(sums[i], row.Choices))];
        }, ChoiceScores.AreFinite);
        return
        [
            VectorGetter(() => scores.Current().Sums),
            VectorGetter(() => scores.Current().ByCharacters),
            (ValueGetter<int>)((ref int value) => value = scores.Current().Best),
            (ValueGetter<int>)((ref int value) => value = scores.Current().BestByCharacters),
        ];
    }

    public override void Save(IHost host, ZipWriter context)
    {
        context.Writer.Write(Depth.ChainCount);
        context.SaveNonEmptyString(ScoreColumnName);
        context.SaveNonEmptyString(NormalizedScoreColumnName);
        context.SaveNonEmptyString(PredictedLabelColumnName);
        context.SaveNonEmptyString(NormalizedPredictedLabelColumnName);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    public static MultipleChoiceRowScorer Load(ZipReader context) => new(
        Depth: new(context.Reader.ReadInt32()),
        ScoreColumnName: context.LoadNonEmptyString(),
        NormalizedScoreColumnName: context.LoadNonEmptyString(),
        PredictedLabelColumnName: context.LoadNonEmptyString(),
        NormalizedPredictedLabelColumnName: context.LoadNonEmptyString());

    private static CompletionTokens[] Encode(RowsToScore rows, ChoiceEncoder encoder, RowChoices row)
    {
        var encoded = encoder.Encode(row.Row, row.ContextOfEach(rows.Columns), row.Choices);
        // The last token is predicted and not read.
        var longest = Math.Min(rows.Model.Config.ContextLength, int.MaxValue - 1) + 1;
        if (Array.Exists(encoded, one => one.Ids.Length > longest))
            rows.Channel.CountCutRow(rows.Columns, longest, "one more than the model's context");
        return Array.ConvertAll(encoded, one => one.Last(longest));
    }

    private static ValueGetter<VBuffer<float>> VectorGetter(Func<double[]> scores) => (ref VBuffer<float> value) =>
    {
        var current = scores();
        var editor = VBufferEditor.Create(ref value, current.Length);
        for (var i = 0; i < current.Length; i++)
            editor.Values[i] = (float)current[i];
        value = editor.Commit();
    };
}
