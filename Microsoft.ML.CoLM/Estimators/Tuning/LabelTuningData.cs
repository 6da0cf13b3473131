using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Tokenizers;
using Microsoft.ML.CoLM.Training;
using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The task <see cref="TuningTask.Label"/>: classes or numbers.</summary>
internal sealed class LabelTuningData(ChainTuningEstimator.Options options) : TuningData
{
    private const int ListedClasses = 10; // in a message

    public override TextColumns Columns { get; } = new(options.TextColumnName, options.SecondTextColumnName);

    public override bool TrainsLanguageHeads => false;

    public override void CheckColumns(DataViewSchema schema, DataViewSchema? validationSet)
    {
        _ = Columns.In(schema);
        var label = LabelColumn.In(schema, options.LabelColumnName);
        if (validationSet is null)
            return;
        _ = Columns.In(validationSet, DataRole.ValidationSet);
        _ = label.InValidationSet(validationSet);
    }

    public override SchemaShape OutputShape(SchemaShape input)
    {
        var (task, label) = LabelColumn.In(input, options.LabelColumnName);
        if (task == TaskKind.BinaryClassification)
            return ScoringSettings.OutputShape(input, Columns, BinaryRowScorer.Columns());
        if (task == TaskKind.Regression)
            return ScoringSettings.OutputShape(input, Columns, RegressionRowScorer.Columns());

        Columns.CheckIn(input);
        var columns = input.ToDictionary(column => column.Name);
        columns[DefaultColumnNames.PredictedLabel] = new(DefaultColumnNames.PredictedLabel,
            SchemaShape.Column.VectorKind.Scalar, NumberDataViewType.UInt32, isKey: true,
            new SchemaShape(label.Annotations.Where(entry => entry.Name == AnnotationUtils.Kinds.KeyValues)));
        columns[DefaultColumnNames.Score] = new(DefaultColumnNames.Score, SchemaShape.Column.VectorKind.Vector,
            NumberDataViewType.Single, isKey: false, ClassLabels.VectorAnnotations);
        return new SchemaShape(columns.Values);
    }

    public override TuningRun Read(TuningSetting setting)
    {
        var label = LabelColumn.In(setting.Input.Schema, options.LabelColumnName);
        var isRegression = label.Task == TaskKind.Regression;
        if (isRegression && (options.ClassWeights is not null || options.LabelSmoothing > 0))
        {
            throw new ArgumentException($"{nameof(options.ClassWeights)} and {nameof(options.LabelSmoothing)} must be left " +
                $"out where column '{label.Name}' is a number, which has no classes.");
        }
        var rows = Read(setting, setting.Input, "the training data", label);
        if (!isRegression)
            CheckClasses(label, rows, setting.Channel);
        var validation = options.ValidationSet is { } set ? ReadValidation(setting, set, label, rows) : null;

        var range = isRegression ? LabelRange.Of(rows.Labels) : default;
        var model = setting.Model;
        var head = new ChainHead(model.Config, isRegression ? 1 : label.ClassNames.Length, model.Device, options.Pooling);
        FrozenFeatures? frozen = null;
        try
        {
            head.Initialise(setting.Seed);
            frozen = setting.KeepFrozenFeatures(
                rows.Sequences, ExampleFeatures.NeedLastAlone(model.Config, setting.FrozenChains, options.Pooling));
            var order = new ExampleOrder(
                Array.ConvertAll(rows.Sequences, ids => ids.Length), options.BatchSize, setting.Seed);
            var weights = setting.ScaleWeights(Math.Max(0, setting.FrozenChains - 1));
            PredictionLoss loss = isRegression ? new SquaredLoss() : new ClassLoss(options.ClassWeights, options.LabelSmoothing);
            var objective = new PredictionObjective(
                new ExampleFeatures(model, setting.FrozenChains, rows.Sequences, frozen), head,
                isRegression ? Array.ConvertAll(rows.Labels, range.Scale) : rows.Labels, order, loss, weights);
            var validator = validation is null
                ? null : new LabelValidator(
                    model, head, validation.Sequences, validation.Labels, isRegression ? range : null, weights,
                    setting.Channel.CheckAlive, setting.Channel.Ranks.Share);
            return new(objective, validator is null ? null : validator.Validate,
                Scorer(setting, head, label, range), AddData, frozen);
        }
        catch
        {
            frozen?.Dispose();
            head.Dispose();
            throw;
        }

        void AddData(Fingerprint data)
        {
            rows.AddTo(data);
            validation?.AddTo(data);
        }
    }

    private static PredictionRowScorer Scorer(TuningSetting setting, ChainHead head, LabelColumn label, LabelRange range)
    {
        var (depth, length) = (new Depth(setting.Model.Config.ChainCount), setting.MaxLength);
        return label.Task switch
        {
            TaskKind.MulticlassClassification => new MulticlassRowScorer(depth, length, head, label.Classes!),
            TaskKind.BinaryClassification => new BinaryRowScorer(depth, length, head),
            _ => new RegressionRowScorer(depth, length, head, range),
        };
    }

    private LabelledRows Read(TuningSetting setting, IDataView data, string what, LabelColumn label) =>
        LabelledRows.Read(data, what, Columns, label, text => (TaskText.Encode(setting.Tokenizer, setting.Model.Config,
            text.First, text.Second, setting.MaxLength, Columns.Names, out var isCut, setting.Channel.ThrowIfCancelled),
            isCut), setting.Channel);

    private void CheckClasses(LabelColumn label, LabelledRows rows, TrainingChannel channel)
    {
        var names = label.ClassNames;
        if (options.ClassWeights is { } weights && weights.Count != names.Length)
        {
            throw new ArgumentException($"{nameof(options.ClassWeights)} must have a weight for each of the {names.Length} " +
                $"classes of column '{label.Name}' ({Listed(names)}), found {weights.Count}.");
        }
        var seen = rows.Labels.Select(value => (int)value).ToHashSet();
        if (seen.Count == 1)
        {
            throw new ArgumentException($"Column '{label.Name}' of the training data must have two classes or more, found " +
                $"'{names[seen.Single()]}' alone.");
        }
        string[] unseen = [.. names.Where((_, i) => !seen.Contains(i))];
        if (unseen.Length > 0)
        {
            channel.Warn(unseen.Length == 1
                ? $"Column '{label.Name}' of the training data has no row of class '{unseen[0]}'."
                : $"Column '{label.Name}' of the training data has no row of {unseen.Length} classes ({Listed(unseen)}).");
        }
    }

    private static string Listed(IEnumerable<string> classes)
    {
        string[] listed = [.. classes.Take(ListedClasses + 1)];
        return listed.Length > ListedClasses
            ? string.Join(", ", listed[..ListedClasses]) + " and others" : string.Join(", ", listed);
    }

    // Keys of another data view may count the same values in another order.
    private LabelledRows ReadValidation(TuningSetting setting, IDataView data, LabelColumn trained, LabelledRows rows)
    {
        var label = trained.InValidationSet(data.Schema);
        var found = Read(setting, data, "the validation set", label);
        if (label.Task == TaskKind.Regression)
            return found;
        var seen = rows.Labels.Select(value => (int)value).ToHashSet();
        var classes = Array.ConvertAll(label.ClassNames, name => Array.IndexOf(trained.ClassNames, name));
        foreach (var value in found.Labels.Select(value => (int)value).Distinct())
        {
            if (!seen.Contains(classes[value]))
            {
                throw new ArgumentException($"Column '{label.Name}' of the validation set has class " +
                    $"'{label.ClassNames[value]}', which no row of the training data has: it has " +
                    $"{Listed(trained.ClassNames.Where((_, i) => seen.Contains(i)))}.{DataRole.ValidationSet.Advice}");
            }
        }
        return found with { Labels = Array.ConvertAll(found.Labels, value => (float)classes[(int)value]) };
    }
}
