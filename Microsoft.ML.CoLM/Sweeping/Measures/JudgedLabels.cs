using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>The labels that predictions are compared with.</summary>
/// <remarks>ML.NET's evaluators leave out rows without a label, and count what is left, without a word.</remarks>
/// <param name="environment">Whose log says so.</param>
/// <param name="name">Their column.</param>
internal sealed class JudgedLabels(IHostEnvironment environment, string name)
{
    private const int ListedClasses = 10; // in a message

    private bool _hasWarned; // of data that every trial is judged by

    private static DataRole Role => DataRole.ValidationSet;

    /// <summary>Refuses data whose labels the predictions cannot be compared with.</summary>
    /// <param name="kind">What is predicted.</param>
    /// <param name="scored">The scored rows; their label may be made by the pipeline.</param>
    /// <param name="data">The raw rows.</param>
    /// <param name="isRowForRow">Whether the pipeline makes a row of each.</param>
    /// <exception cref="ArgumentException">The message names the column, and says what it is like.</exception>
    public void Check(PredictionKind kind, IDataView scored, IDataView data, bool isRowForRow)
    {
        if (scored.Schema.GetColumnOrNull(name) is not { } column)
        {
            throw new ArgumentException(
                $"{Role.Name} has no label column '{name}'. It has {TextColumns.ColumnNames(data.Schema)}.{Role.Advice}");
        }
        if (!IsLabelOf(kind, column.Type))
        {
            throw new ArgumentException($"{Role.Name} must have {Expected(kind)} in column '{name}', which predictions of " +
                $"{kind} are compared with, found {column.Type}.{Role.Advice}");
        }
        var classes = kind == PredictionKind.MulticlassClassification ? Predictions.Classes(scored.Schema) : null;
        if (classes is not null)
            CheckClasses(column, classes);
        if (kind == PredictionKind.MultipleChoice)
            return;
        if (column.Type is KeyDataViewType && data.Schema.GetColumnOrNull(name) is { Type: not KeyDataViewType } raw &&
            isRowForRow)
        {
            CheckKnown(data, raw, scored, column, classes);
        }
        CheckValues(kind, scored, column);
    }

    private static bool IsLabelOf(PredictionKind kind, DataViewType type) => kind switch
    {
        PredictionKind.BinaryClassification => type is BooleanDataViewType or KeyDataViewType { Count: 2 } ||
            type == NumberDataViewType.Single || type == NumberDataViewType.Double,
        PredictionKind.MulticlassClassification => type is KeyDataViewType { Count: > 0 } || type == NumberDataViewType.Single,
        PredictionKind.Regression => type == NumberDataViewType.Single,
        _ => type is NumberDataViewType or KeyDataViewType,
    };

    private static string Expected(PredictionKind kind) => kind switch
    {
        PredictionKind.BinaryClassification => "Boolean",
        PredictionKind.MulticlassClassification => "a key of known values",
        PredictionKind.Regression => "Single",
        _ => "the index of the right choice, Int32,",
    };

    // A key of other values counts them in another order: every comparison would be wrong.
    private void CheckClasses(DataViewSchema.Column column, string[] classes)
    {
        if (column.Type is not KeyDataViewType || !column.HasKeyValues())
            return;
        var names = new ClassLabels(column).Names;
        if (!names.SequenceEqual(classes))
        {
            throw new ArgumentException($"Column '{name}' of the validation set is a key of {Listed(names)}, and the " +
                $"pipeline predicts {Listed(classes)}.{Role.Advice}");
        }
    }

    /// <summary>Refuses a label that the pipeline's own mapping does not know, and so makes a missing key of.</summary>
    private void CheckKnown(
        IDataView data, DataViewSchema.Column raw, IDataView scored, DataViewSchema.Column key, string[]? classes)
    {
        using var rawRows = data.GetRowCursor([raw]);
        using var rows = scored.GetRowCursor([key]);
        var value = ColumnReader.Of(rawRows, raw);
        var label = RowCursorUtils.GetLabelGetter(rows, key.Index);
        var index = float.NaN;
        while (rawRows.MoveNext() && rows.MoveNext())
        {
            label(ref index);
            if (!float.IsNaN(index) || value.Read() is not { } unknown)
                continue;
            throw new ArgumentException(FormattableString.Invariant(
                $"Column '{name}' of the validation set has the value '{unknown}', which no row had that the pipeline was fitted to") +
                (classes is null ? "." : $": it knows {Listed(classes)}."));
        }
    }

    private void CheckValues(PredictionKind kind, IDataView scored, DataViewSchema.Column column)
    {
        using var rows = scored.GetRowCursor([column]);
        var label = RowCursorUtils.GetLabelGetter(rows, column.Index);
        long count = 0, positive = 0, labelled = 0;
        var value = float.NaN;
        while (rows.MoveNext())
        {
            label(ref value);
            count++;
            labelled += float.IsNaN(value) ? 0 : 1;
            positive += value > 0 ? 1 : 0;
        }
        if (count == 0)
            throw new ArgumentException($"{Role.Name} has no rows.");
        if (labelled == 0)
        {
            throw new ArgumentException(FormattableString.Invariant($"None of the {count} rows of the validation set has a ") +
                $"label in column '{name}' ({column.Type}).{Role.Advice}");
        }
        if (labelled < count && !_hasWarned)
        {
            _hasWarned = true;
            using var channel = environment.Register(nameof(JudgedLabels)).Start("Labels");
            channel.Warning(FormattableString.Invariant($"{count - labelled} of {count} rows of the validation set have no ") +
                $"label in column '{name}' and are left out.");
        }
        // ML.NET's evaluator throws without saying whose labels they are.
        if (kind == PredictionKind.BinaryClassification && (positive == 0 || positive == labelled))
        {
            throw new ArgumentException($"Column '{name}' of the validation set must have both classes, found " +
                FormattableString.Invariant($"{(positive == 0 ? "False" : "True")} alone in {labelled} rows."));
        }
    }

    private static string Listed(string[] classes) => classes.Length > ListedClasses
        ? FormattableString.Invariant($"{string.Join(", ", classes[..ListedClasses])} and {classes.Length - ListedClasses} others")
        : string.Join(", ", classes);
}
