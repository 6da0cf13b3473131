using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What a transformer reads, and what it makes of it.</summary>
/// <param name="TextColumnName">The text to score.</param>
/// <param name="BatchSize">Rows that are scored together.</param>
/// <param name="Task">What is computed.</param>
internal sealed record ScoringSettings(string TextColumnName, int BatchSize, IScoringTask Task)
{
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
        foreach (var added in Task.OutputColumns(config: null))
        {
            var kind = added.Type is VectorDataViewType
                ? SchemaShape.Column.VectorKind.Vector
                : SchemaShape.Column.VectorKind.Scalar;
            columns[added.Name] = new SchemaShape.Column(added.Name, kind, added.Type.GetItemType(), isKey: false);
        }
        return new SchemaShape(columns.Values);
    }

    /// <summary>Writes the settings into a zip.</summary>
    public void Save(ModelSaveContext context)
    {
        context.SaveNonEmptyString(TextColumnName);
        context.Writer.Write(BatchSize);
        context.Writer.Write((int)Task.Kind);
        Task.Save(context);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <exception cref="InvalidDataException">No transformer has such settings.</exception>
    public static ScoringSettings Load(ModelLoadContext context)
    {
        var textColumnName = context.LoadNonEmptyString();
        var batchSize = context.Reader.ReadInt32();
        var kind = (ScoringTask)context.Reader.ReadInt32();
        return new ScoringSettings(textColumnName, batchSize, kind switch
        {
            ScoringTask.LanguageModeling => LanguageModelScoring.Load(context),
            ScoringTask.Features => FeatureScoring.Load(context),
            _ => throw new InvalidDataException($"The zip's scoring task {kind} is not known."),
        }).Checked();
    }

    private ScoringSettings Checked() => BatchSize is >= 1 and <= ElasticScoringEstimator.Options.MaximumBatchSize
        ? this
        : throw new InvalidDataException("The zip's batch size must be between 1 and " +
            $"{ElasticScoringEstimator.Options.MaximumBatchSize}, found {BatchSize}.");

    private static string Names(DataViewSchema schema) =>
        schema.Count == 0 ? "no columns" : string.Join(", ", schema.Select(column => $"'{column.Name}'"));
}
