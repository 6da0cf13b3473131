using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>A label's column: its type says what is learnt.</summary>
internal sealed class LabelColumn
{
    private readonly DataViewSchema.Column _column;

    private LabelColumn(DataViewSchema.Column column, TaskKind task)
    {
        (_column, Task) = (column, task);
        Classes = task == TaskKind.MulticlassClassification ? new ClassLabels(column) : null;
        ClassNames = task == TaskKind.BinaryClassification ? ["False", "True"] : Classes?.Names ?? [];
    }

    public string Name => _column.Name;

    /// <summary>The task that such a label makes.</summary>
    public TaskKind Task { get; }

    /// <summary>The classes of a key.</summary>
    public ClassLabels? Classes { get; }

    /// <summary>Names of the classes, false and true among them; none of a number.</summary>
    public string[] ClassNames { get; }

    /// <summary>The column in a schema.</summary>
    /// <exception cref="ArgumentException">It is missing, or of a type that fits no task.</exception>
    public static LabelColumn In(DataViewSchema schema, string name)
    {
        if (schema.GetColumnOrNull(name) is not { } column)
            throw new ArgumentException($"The data has no label column '{name}'. It has {TextColumns.ColumnNames(schema)}.");
        return TaskOf(column.Type) is { } task ? new(column, task) : throw WrongType(name, column.Type.ToString());
    }

    /// <summary>The task of a label in a schema that is not there yet.</summary>
    /// <exception cref="ArgumentException">It is missing, or of a type that fits no task.</exception>
    public static (TaskKind Task, SchemaShape.Column Column) In(SchemaShape schema, string name)
    {
        if (!schema.TryFindColumn(name, out var column))
        {
            throw new ArgumentException($"The data has no label column '{name}'. It has " +
                $"{TextColumns.ColumnNames(schema.Select(known => known.Name))}.");
        }
        if (column.Kind != SchemaShape.Column.VectorKind.Scalar)
            throw WrongType(name, $"{column.Kind} of {column.ItemType}");
        if (column.IsKey)
            return (TaskKind.MulticlassClassification, column);
        if (column.ItemType is BooleanDataViewType)
            return (TaskKind.BinaryClassification, column);
        return column.ItemType.RawType == typeof(float)
            ? (TaskKind.Regression, column)
            : throw WrongType(name, column.ItemType.ToString());
    }

    /// <summary>The same column in the schema of a validation set.</summary>
    /// <exception cref="ArgumentException">It is missing, or of another type.</exception>
    public LabelColumn InValidationSet(DataViewSchema schema)
    {
        var role = DataRole.ValidationSet;
        if (schema.GetColumnOrNull(Name) is not { } column)
        {
            throw new ArgumentException(
                $"{role.Name} has no label column '{Name}'. It has {TextColumns.ColumnNames(schema)}.{role.Advice}");
        }
        // Keys of another number of values may still be of the same values.
        return TaskOf(column.Type) == Task ? new(column, Task) : throw new ArgumentException(
            $"{role.Name} must have {_column.Type} in column '{Name}', as the training data has, found {column.Type}.{role.Advice}");
    }

    /// <summary>Reads labels: a class's index, or a number; NaN where it is missing.</summary>
    public ValueGetter<float> GetterOf(DataViewRow row) => RowCursorUtils.GetLabelGetter(row, _column.Index);

    /// <summary>The column, in a cursor's list of those that are needed.</summary>
    public DataViewSchema.Column AsColumn() => _column;

    private static TaskKind? TaskOf(DataViewType type) => type switch
    {
        KeyDataViewType { Count: > 0 and <= int.MaxValue } => TaskKind.MulticlassClassification,
        BooleanDataViewType => TaskKind.BinaryClassification,
        NumberDataViewType { RawType: var number } when number == typeof(float) => TaskKind.Regression,
        _ => null,
    };

    private static ArgumentException WrongType(string name, string? found) => new(
        $"Column '{name}' must be a key of known values (MapValueToKey makes one of any type), Boolean or Single " +
        $"(ConvertType makes one of any number), found {found}.");
}
