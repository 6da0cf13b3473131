using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>The columns that a row's text comes from: one, or a pair.</summary>
/// <param name="First">The first, or only one.</param>
/// <param name="Second">The second; null where rows have one text.</param>
internal sealed record TextColumns(string First, string? Second = null)
{
    /// <summary>The names, for messages.</summary>
    public string Names => Second is null ? First : $"{First}', '{Second}";

    /// <summary>The columns in a schema.</summary>
    /// <exception cref="ArgumentException">One is missing, or its type is not text.</exception>
    public DataViewSchema.Column[] In(DataViewSchema schema) =>
        Second is null ? [TextColumn(schema, First)] : [TextColumn(schema, First), TextColumn(schema, Second)];

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

    private static DataViewSchema.Column TextColumn(DataViewSchema schema, string name)
    {
        if (schema.GetColumnOrNull(name) is not { } column)
            throw new ArgumentException($"The data has no text column '{name}'. It has {ColumnNames(schema)}.");
        if (column.Type is not TextDataViewType)
            throw new ArgumentException($"Column '{name}' must be of type Text, found {column.Type}.");
        return column;
    }

    private static void CheckIn(SchemaShape schema, string name)
    {
        if (!schema.TryFindColumn(name, out var column))
            throw new ArgumentException($"The data has no text column '{name}'.");
        if (column.Kind != SchemaShape.Column.VectorKind.Scalar || column.ItemType is not TextDataViewType)
        {
            throw new ArgumentException(
                $"Column '{name}' must be of type Text, found {column.Kind} of {column.ItemType}.");
        }
    }

    /// <summary>The names of a schema's columns, for messages.</summary>
    public static string ColumnNames(DataViewSchema schema) =>
        schema.Count == 0 ? "no columns" : string.Join(", ", schema.Select(column => $"'{column.Name}'"));
}
