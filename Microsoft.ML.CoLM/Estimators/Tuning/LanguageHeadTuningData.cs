using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The task <see cref="TuningTask.LanguageHeads"/>: heads that predict text well at every scale.</summary>
internal sealed class LanguageHeadTuningData(ChainTuningEstimator.Options options) : TuningData
{
    public override TextColumns Columns { get; } = new(options.TextColumnName);

    public override bool TrainsLanguageHeads => true;

    public override SchemaShape OutputShape(SchemaShape input) => ScoringSettings.OutputShape(
        input, Columns, LanguageModelRowScorer.Default(chainCount: 1).OutputColumns(config: null));

    public override TuningRun Read(TuningSetting setting)
    {
        var model = setting.Model;
        var corpus = Corpus.Read(
            setting.Input, options.ValidationSet, Columns, model, setting.Tokenizer, setting.Channel);
        try
        {
            var weights = setting.ScaleWeights(firstScale: 0);
            return new(
                new LanguageHeadObjective(
                    model, new TokenWindows(corpus.Spool, setting.MaxLength, setting.Seed), options.BatchSize, weights),
                corpus.Validator(model, weights, setting.Channel),
                LanguageModelRowScorer.Default(model.Config.ChainCount), corpus.AddTo, corpus);
        }
        catch
        {
            corpus.Dispose();
            throw;
        }
    }
}
