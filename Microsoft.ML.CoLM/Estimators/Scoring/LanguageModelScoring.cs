using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The task <see cref="TaskKind.LanguageModeling"/>.</summary>
/// <param name="ChainCount">The most chains that a row is scored with.</param>
/// <param name="LogProbabilityColumnName">Single: natural log, summed over every token after the first.</param>
/// <param name="TokenCountColumnName">Int32: tokens scored.</param>
/// <param name="PerplexityColumnName">Single: exp(-log-probability / tokens); NaN where no token is scored.</param>
/// <param name="ChainsUsedColumnName">Int32: the chain count of a row, where there is a cascade.</param>
/// <param name="Cascade">Where rows stop; null scores all of them with all the chains.</param>
internal sealed record LanguageModelScoring(
    int ChainCount, string LogProbabilityColumnName, string TokenCountColumnName, string PerplexityColumnName,
    string ChainsUsedColumnName, Cascade? Cascade) : IScoringTask
{
    public TaskKind Kind => TaskKind.LanguageModeling;

    /// <summary>The task as it is without any options.</summary>
    public static LanguageModelScoring Default(int chainCount) => new(chainCount, DefaultColumnNames.LogProbability,
        DefaultColumnNames.TokenCount, DefaultColumnNames.Perplexity, DefaultColumnNames.ChainsUsed, Cascade: null);

    public IScoringTask WithChainCount(int chainCount) => this with { ChainCount = chainCount, Cascade = null };

    public IScoringTask WithCascade(CascadeOptions cascade) =>
        this with { ChainCount = cascade.ChainCounts[^1], Cascade = cascade.ToCascade(stopsByLoss: true) };

    public void CheckFits(CoLMConfig config)
    {
        if (Cascade is { } cascade)
            CascadeOptions.CheckFits(cascade.ChainCounts, config.Layout);
        config.Layout.CheckChainCount(ChainCount);
    }

    public DataViewSchema.DetachedColumn[] OutputColumns(CoLMConfig? config)
    {
        var columns = LanguageColumns.Create(LogProbabilityColumnName, TokenCountColumnName, PerplexityColumnName,
            Cascade is null ? ChainCount : null);
        return Cascade is null ? columns : [.. columns, new(ChainsUsedColumnName, NumberDataViewType.Int32)];
    }

    public Delegate[] CreateGetters(RowScoring rows)
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
        return Cascade is null
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

    public void Save(IHost host, ZipWriter context)
    {
        context.Writer.Write(ChainCount);
        context.SaveNonEmptyString(LogProbabilityColumnName);
        context.SaveNonEmptyString(TokenCountColumnName);
        context.SaveNonEmptyString(PerplexityColumnName);
        context.SaveNonEmptyString(ChainsUsedColumnName);
        CascadeEntry.Save(context, Cascade);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    public static LanguageModelScoring Load(ZipReader context) => new(
        ChainCount: context.Reader.ReadInt32(),
        LogProbabilityColumnName: context.LoadNonEmptyString(),
        TokenCountColumnName: context.LoadNonEmptyString(),
        PerplexityColumnName: context.LoadNonEmptyString(),
        ChainsUsedColumnName: context.LoadNonEmptyString(),
        Cascade: CascadeEntry.Load(context));

    private Func<int[][], CascadeScore[]> CreateScorer(RowScoring rows)
    {
        Action checkAlive = rows.Channel.CheckAlive;
        if (Cascade is not { } cascade)
        {
            return sequences => Array.ConvertAll(
                SequenceScorer.Score(rows.Model, sequences, ChainCount, rows.Windows, checkAlive),
                sum => new CascadeScore(sum, ChainCount));
        }
        CascadeScorer? scorer = null;
        return sequences => (scorer ??= new CascadeScorer(
            rows.Model, cascade, windows: rows.Windows, checkAlive: checkAlive)).Score(sequences);
    }
}
