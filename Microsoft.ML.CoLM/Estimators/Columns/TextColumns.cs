using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The columns that a row's text comes from: one, or a pair.</summary>
/// <param name="First">The first, or only one.</param>
/// <param name="Second">The second; null where rows have one text.</param>
internal record TextColumns(string First, string? Second = null)
{
    /// <summary>The columns' names.</summary>
    public string[] All => Second is null ? [First] : [First, Second];

    /// <summary>The names, for messages.</summary>
    public string Names => Second is null ? First : $"{First}', '{Second}";

    /// <summary>The columns in a schema.</summary>
    /// <param name="schema">The schema.</param>
    /// <param name="role">Whose it is; the input's where null.</param>
    /// <exception cref="ArgumentException">One is missing, or its type is not text.</exception>
    public DataViewSchema.Column[] In(DataViewSchema schema, DataRole? role = null) => Second is null
        ? [TextColumn(schema, First, role ?? DataRole.Input)]
        : [TextColumn(schema, First, role ?? DataRole.Input), TextColumn(schema, Second, role ?? DataRole.Input)];

    /// <summary>As <see cref="In"/>; null where one is missing, or its type is not text.</summary>
    public DataViewSchema.Column[]? FindIn(DataViewSchema schema) =>
        ((string?[])[First, Second]).OfType<string>().All(name => schema.GetColumnOrNull(name)?.Type is TextDataViewType)
            ? In(schema) : null;

    /// <summary>As <see cref="In"/>, for a schema that is not there yet.</summary>
    /// <exception cref="ArgumentException">One is missing, or its type is not text.</exception>
    public void CheckIn(SchemaShape schema)
    {
        CheckIn(schema, First);
        if (Second is not null)
            CheckIn(schema, Second);
    }

    /// <summary>Writes the names into a zip.</summary>
    public void Save(ZipWriter context)
    {
        context.SaveNonEmptyString(First);
        context.SaveStringOrNull(Second);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    public static TextColumns Load(ZipReader context) =>
        new(context.LoadNonEmptyString(), context.LoadStringOrNull());

    /// <summary>Whether a column may be a vector, or a single text.</summary>
    protected virtual bool MayBe(string name, bool isVector) => !isVector;

    /// <summary>A column's type, for messages.</summary>
    protected virtual string ExpectedType(string name) => "Text";

    private DataViewSchema.Column TextColumn(DataViewSchema schema, string name, DataRole role)
    {
        if (schema.GetColumnOrNull(name) is not { } column)
            throw new ArgumentException($"{role.Name} has no text column '{name}'. It has {ColumnNames(schema)}.{role.Advice}");
        if (column.Type.GetItemType() is not TextDataViewType || !MayBe(name, column.Type is VectorDataViewType))
        {
            throw new ArgumentException(
                $"{role.Name} must have column '{name}' of type {ExpectedType(name)}, found {column.Type}.{role.Advice}");
        }
        return column;
    }

    private void CheckIn(SchemaShape schema, string name)
    {
        if (!schema.TryFindColumn(name, out var column))
        {
            throw new ArgumentException(
                $"{DataRole.Input.Name} has no text column '{name}'. It has {ColumnNames(schema.Select(known => known.Name))}.");
        }
        if (column.ItemType is not TextDataViewType || !MayBe(name, column.Kind != SchemaShape.Column.VectorKind.Scalar))
        {
            throw new ArgumentException($"{DataRole.Input.Name} must have column '{name}' of type {ExpectedType(name)}, " +
                $"found {column.Kind} of {column.ItemType}.");
        }
    }

    /// <summary>The names of a schema's columns, for messages.</summary>
    public static string ColumnNames(DataViewSchema schema) => ColumnNames(schema.Select(column => column.Name));

    /// <summary>As for a schema.</summary>
    public static string ColumnNames(IEnumerable<string> names) =>
        names.Any() ? string.Join(", ", names.Select(name => $"'{name}'")) : "no columns";
}
