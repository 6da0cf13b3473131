using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.CoLM.Training;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The task <see cref="TuningTask.Completion"/>: responses behind their prompts.</summary>
internal sealed class CompletionTuningData(ChainTuningEstimator.Options options) : TuningData
{
    private readonly CompletionTemplate _template = new(options.Template);

    public override TextColumns Columns { get; } = new(options.PromptColumnName, options.ResponseColumnName);

    public override bool TrainsLanguageHeads => true;

    public override SchemaShape OutputShape(SchemaShape input) =>
        ScoringSettings.OutputShape(input, Columns, CompletionRowScorer.Columns(chainCount: 1));

    public override TuningRun Read(TuningSetting setting)
    {
        var rows = Read(setting, setting.Input, "the training data");
        var validation = options.ValidationSet is { } set ? Read(setting, set, "the validation set") : null;
        int[][] sequences = Array.ConvertAll(rows, row => row.Ids);
        var weights = setting.ScaleWeights(setting.FrozenChains);
        var frozen = setting.KeepFrozenFeatures(sequences, ofLast: false);
        var order = new ExampleOrder(Array.ConvertAll(sequences, ids => ids.Length), options.BatchSize, setting.Seed);
        var objective = new CompletionObjective(
            new ExampleFeatures(setting.Model, setting.FrozenChains, sequences, frozen), rows, order, weights);
        return new(objective,
            validation is null ? null : () => Validate(setting.Model, validation, weights, setting.Channel),
            new CompletionRowScorer(new Depth(setting.Model.Config.ChainCount), _template), AddData, frozen);

        void AddData(Fingerprint data)
        {
            Add(data, rows);
            Add(data, validation ?? []);
        }
    }

    private static void Add(Fingerprint data, CompletionTokens[] rows)
    {
        data.Add(Array.ConvertAll(rows, row => row.Ids));
        data.Add<int>(Array.ConvertAll(rows, row => row.ResponseStart));
    }

    private static Validation Validate(
        CoLMModel model, CompletionTokens[] rows, double[] weights, TrainingChannel channel)
    {
        var sums = SequenceScorer.ScoreEnds(model, Array.ConvertAll(rows, row => row.Ids),
            Array.ConvertAll(rows, row => row.ResponseStart), new ChainRange(0, model.Config.ChainCount),
            checkAlive: channel.CheckAlive, share: channel.Ranks.Share);
        var tokens = rows.Sum(row => (double)row.Ids.Length - row.ResponseStart);
        double[] losses = [.. weights.Select((_, scale) => -sums.Sum(scales => scales[scale]) / tokens)];
        return new(losses.Zip(weights, (loss, weight) => loss * weight).Sum(), losses, Metrics: []);
    }

    private CompletionTokens[] Read(TuningSetting setting, IDataView data, string what)
    {
        var columns = Columns.In(data.Schema);
        using var cursor = data.GetRowCursor(columns);
        var reader = new RowTextReader(cursor, columns);
        List<CompletionTokens> rows = [];
        var (empty, cut) = (0L, 0L);
        while (cursor.MoveNext())
        {
            setting.Channel.ThrowIfCancelled();
            var text = reader.Read();
            var config = setting.Model.Config;
            var whole = _template.Encode(
                setting.Tokenizer, config, text.First, text.Second!, Columns.Names, setting.Channel.ThrowIfCancelled);
            var tokens = whole.Truncated(setting.MaxLength, setting.Tokenizer.BeginningOfText() ?? config.BosTokenId);
            if (text.Second!.Length == 0 || tokens.ResponseLength == 0)
            {
                empty++;
                continue;
            }
            cut += whole.Ids.Length > setting.MaxLength ? 1 : 0;
            rows.Add(tokens with { ResponseStart = Math.Max(1, tokens.ResponseStart) });
        }
        if (empty > 0)
            setting.Channel.Warn($"{empty} rows of {what} have no response in column '{Columns.Second}' and are left out.");
        setting.Channel.WarnOfCutRows(cut, what, setting.MaxLength);
        return rows.Count > 0
            ? [.. rows]
            : throw new ArgumentException($"No row of {what} has a response in column '{Columns.Second}'.");
    }
}
