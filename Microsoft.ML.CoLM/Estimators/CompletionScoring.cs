using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The task <see cref="ScoringTask.Completion"/>: how probable a response is behind its prompt.</summary>
/// <param name="ChainCount">How many chains a row is scored with.</param>
/// <param name="Template">How prompt and response become one text.</param>
internal sealed record CompletionScoring(int ChainCount, CompletionTemplate Template) : IScoringTask
{
    public ScoringTask Kind => ScoringTask.Completion;

    public IScoringTask WithChainCount(int chainCount) => this with { ChainCount = chainCount };

    public IScoringTask WithCascade(Cascade cascade) =>
        throw new NotSupportedException($"{ScoringTask.Completion} has no cascade.");

    public void CheckFits(CoLMConfig config) => config.Layout.CheckChainCount(ChainCount);

    /// <summary>The columns, which need no model.</summary>
    public static DataViewSchema.DetachedColumn[] Columns() =>
    [
        new(DefaultColumnNames.LogProbability, NumberDataViewType.Single),
        new(DefaultColumnNames.TokenCount, NumberDataViewType.Int32),
        new(DefaultColumnNames.Perplexity, NumberDataViewType.Single),
    ];

    public DataViewSchema.DetachedColumn[] OutputColumns(CoLMConfig? config) => Columns();

    public Delegate[] CreateGetters(
        CoLMModel model, Tokenizer tokenizer, ITextBatches texts, TextColumns columns, TextWindows windows)
    {
        var scale = new ChainRange(ChainCount - 1, ChainCount);
        var scores = new BatchScores<TextScore>(texts, batch =>
        {
            CompletionTokens[] rows = [.. batch.Select(text =>
                Template.Encode(tokenizer, model.Config, text.First, text.Second!, columns.Names))];
            var sums = SequenceScorer.ScoreEnds(model, Array.ConvertAll(rows, row => row.Ids),
                Array.ConvertAll(rows, row => Math.Max(1, row.ResponseStart)), scale, windows);
            return [.. rows.Select((row, i) => new TextScore(sums[i][0], row.ResponseLength, ChainCount))];
        });
        return
        [
            (ValueGetter<float>)((ref float value) => value = (float)scores.Current().LogProbability),
            (ValueGetter<int>)((ref int value) => value = scores.Current().TokenCount),
            (ValueGetter<float>)((ref float value) => value = scores.Current().Perplexity),
        ];
    }

    public void Save(IHost host, ModelSaveContext context)
    {
        context.Writer.Write(ChainCount);
        context.SaveNonEmptyString(Template.Text);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <exception cref="ArgumentException">It has no template.</exception>
    public static CompletionScoring Load(ModelLoadContext context) =>
        new(context.Reader.ReadInt32(), new CompletionTemplate(context.LoadNonEmptyString()));
}
