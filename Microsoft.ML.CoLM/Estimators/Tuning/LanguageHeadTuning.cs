using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The task <see cref="TuningTask.LanguageHeads"/>: heads that predict text well at every scale.</summary>
internal sealed class LanguageHeadTuning(ChainTuningEstimator.Options options) : ITuning
{
    public TextColumns Columns { get; } = new(options.TextColumnName);

    public bool TrainsLanguageHeads => true;

    public void CheckColumns(DataViewSchema schema, DataViewSchema? validationSet)
    {
        _ = Columns.In(schema);
        if (validationSet is not null)
            _ = Columns.In(validationSet, DataRole.ValidationSet);
    }

    public SchemaShape OutputShape(SchemaShape input) => ScoringSettings.OutputShape(
        input, Columns, LanguageModelScoring.Default(chainCount: 1).OutputColumns(config: null));

    public TuningRun Prepare(TuningSetting setting)
    {
        var model = setting.Model;
        var spool = TokenSpool.Write(Documents(setting, setting.Input, "the training data"));
        try
        {
            if (spool.TokenCount < 2)
            {
                throw new ArgumentException(
                    $"Column '{Columns.First}' of the training data has one token, and no next one to learn.");
            }
            IReadOnlyList<int>[]? validation = options.ValidationSet is { } set
                ? [.. Documents(setting, set, "the validation set")] : null;
            if (validation is not null)
                LanguageValidation.Check(validation, Columns.First);
            var windows = new TokenWindows(spool, setting.MaxLength, setting.Seed);
            var weights = setting.ScaleWeights(firstScale: 0);
            var task = new LanguageHeadTask(model, windows, options.BatchSize, weights);
            return new(task,
                validation is null ? null
                    : () => LanguageValidation.Of(model, validation, weights, setting.Channel.CheckAlive),
                LanguageModelScoring.Default(model.Config.ChainCount),
                (int)Math.Clamp(task.BatchesOf(1), 1, int.MaxValue), AddData, spool);

            void AddData(Fingerprint data)
            {
                spool.AddTo(data);
                data.Add(validation ?? []);
            }
        }
        catch
        {
            spool.Dispose();
            throw;
        }
    }

    private IEnumerable<IReadOnlyList<int>> Documents(TuningSetting setting, IDataView data, string what) =>
        TextDocuments.Read(data, what, Columns, setting.Model, setting.Tokenizer, setting.Channel);
}
