using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The task <see cref="TaskKind.LanguageModeling"/>.</summary>
/// <param name="Depth">How deep rows go.</param>
/// <param name="LogProbabilityColumnName">Single: natural log, summed over every token after the first.</param>
/// <param name="TokenCountColumnName">Int32: tokens scored.</param>
/// <param name="PerplexityColumnName">Single: exp(-log-probability / tokens); NaN where no token is scored.</param>
/// <param name="ChainsUsedColumnName">Int32: the chain count of a row, where there is a cascade.</param>
internal sealed record LanguageModelRowScorer(
    Depth Depth, string LogProbabilityColumnName, string TokenCountColumnName, string PerplexityColumnName,
    string ChainsUsedColumnName) : RowScorer(Depth)
{
    public override TaskKind Kind => TaskKind.LanguageModeling;

    protected override bool StopsByLoss => true;

    /// <summary>The task as it is without any options.</summary>
    public static LanguageModelRowScorer Default(int chainCount) => new(new Depth(chainCount), DefaultColumnNames.LogProbability,
        DefaultColumnNames.TokenCount, DefaultColumnNames.Perplexity, DefaultColumnNames.ChainsUsed);

    public override DataViewSchema.DetachedColumn[] OutputColumns(CoLMConfig? config)
    {
        var columns = LanguageColumns.Create(LogProbabilityColumnName, TokenCountColumnName, PerplexityColumnName,
            Depth.Cascade is null ? Depth.ChainCount : null);
        return Depth.Cascade is null ? columns : [.. columns, new(ChainsUsedColumnName, NumberDataViewType.Int32)];
    }

    public override Delegate[] CreateGetters(RowsToScore rows)
    {
        var scorer = CreateScorer(rows);
        var scores = new BatchScores<RowText, TextScore>(rows.Source, RowTextReader.Create, batch =>
        {
            var sequences = Encode(
                rows.Model, rows.Tokenizer, batch, rows.Columns, rows.Windows, rows.Channel.CheckAlive);
            return [.. scorer(sequences).Select((score, i) => new TextScore(
                score.LogProbability, SequenceScorer.ScoredTokens(sequences[i].Length), score.ChainsUsed))];
        }, TextScore.IsFinite);
        Delegate[] getters =
        [
            (ValueGetter<float>)((ref float value) => value = (float)scores.Current().LogProbability),
            (ValueGetter<int>)((ref int value) => value = scores.Current().TokenCount),
            (ValueGetter<float>)((ref float value) => value = scores.Current().Perplexity),
        ];
        return Depth.Cascade is null
            ? getters
            : [.. getters, (ValueGetter<int>)((ref int value) => value = scores.Current().ChainsUsed)];
    }

    /// <summary>Token ids of texts as they are scored: the first of a text is what the others begin behind.</summary>
    /// <exception cref="ArgumentException">A token is outside the model's vocabulary.</exception>
    public static int[][] Encode(
        CoLMModel model, Tokenizer tokenizer, IReadOnlyList<RowText> texts, TextColumns columns, TextWindows windows,
        Action checkAlive)
    {
        var sequences = tokenizer.EncodeRows([.. texts.Select(text => text.First)], model.Config, columns.First, checkAlive);
        return windows.AreDisjoint(model.Config)
            ? Array.ConvertAll(sequences, ids => PrefixToken.Before(ids, tokenizer, model.Config))
            : sequences;
    }

    public override void Save(IHost host, ZipWriter context)
    {
        context.Writer.Write(Depth.ChainCount);
        context.SaveNonEmptyString(LogProbabilityColumnName);
        context.SaveNonEmptyString(TokenCountColumnName);
        context.SaveNonEmptyString(PerplexityColumnName);
        context.SaveNonEmptyString(ChainsUsedColumnName);
        CascadeEntry.Save(context, Depth.Cascade);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    public static LanguageModelRowScorer Load(ZipReader context)
    {
        var scorer = new LanguageModelRowScorer(
            Depth: new(context.Reader.ReadInt32()),
            LogProbabilityColumnName: context.LoadNonEmptyString(),
            TokenCountColumnName: context.LoadNonEmptyString(),
            PerplexityColumnName: context.LoadNonEmptyString(),
            ChainsUsedColumnName: context.LoadNonEmptyString());
        return scorer with { Depth = scorer.Depth with { Cascade = CascadeEntry.Load(context) } };
    }

    private Func<int[][], CascadeScore[]> CreateScorer(RowsToScore rows)
    {
        Action checkAlive = rows.Channel.CheckAlive;
        if (Depth.Cascade is not { } cascade)
        {
            return sequences => Array.ConvertAll(
                SequenceScorer.Score(rows.Model, sequences, Depth.ChainCount, rows.Windows, checkAlive),
                sum => new CascadeScore(sum, Depth.ChainCount));
        }
        CascadeScorer? scorer = null;
        return sequences => (scorer ??= new CascadeScorer(
            rows.Model, cascade, windows: rows.Windows, checkAlive: checkAlive)).Score(sequences);
    }
}
