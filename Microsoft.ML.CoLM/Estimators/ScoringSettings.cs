using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What language-model scoring reads and writes.</summary>
/// <param name="ChainCount">How many chains to score with.</param>
/// <param name="TextColumnName">The text to score.</param>
/// <param name="LogProbabilityColumnName">Single: natural log, summed over every token after the first.</param>
/// <param name="TokenCountColumnName">Int32: tokens scored.</param>
/// <param name="PerplexityColumnName">Single: exp(-log-probability / tokens); NaN where no token is scored.</param>
/// <param name="BatchSize">Rows that are scored together.</param>
internal sealed record ScoringSettings(
    int ChainCount, string TextColumnName, string LogProbabilityColumnName, string TokenCountColumnName,
    string PerplexityColumnName, int BatchSize)
{
    public DataViewSchema.DetachedColumn[] OutputColumns() =>
    [
        new(LogProbabilityColumnName, NumberDataViewType.Single),
        new(TokenCountColumnName, NumberDataViewType.Int32),
        new(PerplexityColumnName, NumberDataViewType.Single),
    ];

    /// <summary>The text column, or an error that names it.</summary>
    /// <exception cref="ArgumentException">It is missing, or its type is not text.</exception>
    public static DataViewSchema.Column TextColumn(DataViewSchema schema, string name)
    {
        if (schema.GetColumnOrNull(name) is not { } column)
            throw new ArgumentException($"The data has no text column '{name}'. It has {Names(schema)}.");
        if (column.Type is not TextDataViewType)
            throw new ArgumentException($"Column '{name}' must be of type Text, found {column.Type}.");
        return column;
    }

    /// <summary>As <see cref="TextColumn"/>, for a schema that is not there yet, and the columns that are added.</summary>
    public SchemaShape OutputShape(SchemaShape input)
    {
        if (!input.TryFindColumn(TextColumnName, out var column))
            throw new ArgumentException($"The data has no text column '{TextColumnName}'.");
        if (column.Kind != SchemaShape.Column.VectorKind.Scalar || column.ItemType is not TextDataViewType)
        {
            throw new ArgumentException(
                $"Column '{TextColumnName}' must be of type Text, found {column.Kind} of {column.ItemType}.");
        }
        var columns = input.ToDictionary(existing => existing.Name);
        foreach (var added in OutputColumns())
        {
            columns[added.Name] = new SchemaShape.Column(
                added.Name, SchemaShape.Column.VectorKind.Scalar, added.Type, isKey: false);
        }
        return new SchemaShape(columns.Values);
    }

    private static string Names(DataViewSchema schema) =>
        schema.Count == 0 ? "no columns" : string.Join(", ", schema.Select(column => $"'{column.Name}'"));
}
