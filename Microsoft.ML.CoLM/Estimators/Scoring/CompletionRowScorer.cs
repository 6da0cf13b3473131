using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.CoLM.Training;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The task <see cref="TaskKind.Completion"/>: how probable a response is behind its prompt.</summary>
/// <param name="Depth">How many chains a row is scored with.</param>
/// <param name="Template">How prompt and response become one text.</param>
internal sealed record CompletionRowScorer(Depth Depth, CompletionTemplate Template) : RowScorer(Depth)
{
    public override TaskKind Kind => TaskKind.Completion;

    protected override string? WhyNoCascade => $"{TaskKind.Completion} has no cascade.";

    /// <summary>The columns, which need no model.</summary>
    /// <param name="chainCount">How many chains a row is scored with.</param>
    public static DataViewSchema.DetachedColumn[] Columns(int chainCount) => LanguageColumns.Create(
        DefaultColumnNames.LogProbability, DefaultColumnNames.TokenCount, DefaultColumnNames.Perplexity, chainCount);

    public override DataViewSchema.DetachedColumn[] OutputColumns(CoLMConfig? config) => Columns(Depth.ChainCount);

    public override Delegate[] CreateGetters(RowsToScore rows)
    {
        var (model, scale) = (rows.Model, new ChainRange(Depth.ChainCount - 1, Depth.ChainCount));
        Action checkAlive = rows.Channel.CheckAlive;
        var scores = new BatchScores<RowText, TextScore>(rows.Source, RowTextReader.Create, batch =>
        {
            CompletionTokens[] completions = [.. batch.Select(text => Template.Encode(
                rows.Tokenizer, model.Config, text.First, text.Second!, rows.Columns.Names, checkAlive))];
            var sums = SequenceScorer.ScoreEnds(model, Array.ConvertAll(completions, row => row.Ids),
                Array.ConvertAll(completions, row => Math.Max(1, row.ResponseStart)), scale, rows.Windows, checkAlive);
            return [.. completions.Select((row, i) => new TextScore(sums[i][0], row.ResponseLength, Depth.ChainCount))];
        }, TextScore.IsFinite);
        return
        [
            (ValueGetter<float>)((ref float value) => value = (float)scores.Current().LogProbability),
            (ValueGetter<int>)((ref int value) => value = scores.Current().TokenCount),
            (ValueGetter<float>)((ref float value) => value = scores.Current().Perplexity),
        ];
    }

    public override void Save(IHost host, ZipWriter context)
    {
        context.Writer.Write(Depth.ChainCount);
        context.SaveNonEmptyString(Template.Text);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <exception cref="ArgumentException">It has no template.</exception>
    public static CompletionRowScorer Load(ZipReader context) =>
        new(new Depth(context.Reader.ReadInt32()), new CompletionTemplate(context.LoadNonEmptyString()));
}
