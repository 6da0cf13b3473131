using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What a transformer reads, and what it makes of it.</summary>
/// <param name="Columns">The text to score.</param>
/// <param name="BatchSize">Rows that are scored together.</param>
/// <param name="Task">What is computed.</param>
internal sealed record ScoringSettings(TextColumns Columns, int BatchSize, IScoringTask Task)
{
    /// <summary>The schema with the columns that are added, which need not be there yet.</summary>
    /// <param name="input">The schema of the data.</param>
    /// <param name="text">The text that is read.</param>
    /// <param name="added">The columns that are added.</param>
    /// <exception cref="ArgumentException">A text column is missing, or its type is not text.</exception>
    public static SchemaShape OutputShape(
        SchemaShape input, TextColumns text, IEnumerable<DataViewSchema.DetachedColumn> added)
    {
        text.CheckIn(input);
        var columns = input.ToDictionary(existing => existing.Name);
        foreach (var column in added)
        {
            var kind = column.Type is VectorDataViewType
                ? SchemaShape.Column.VectorKind.Vector
                : SchemaShape.Column.VectorKind.Scalar;
            columns[column.Name] = column.Type is KeyDataViewType
                ? new SchemaShape.Column(column.Name, kind, NumberDataViewType.UInt32, isKey: true, Annotations(column))
                : new SchemaShape.Column(column.Name, kind, column.Type.GetItemType(), isKey: false, Annotations(column));
        }
        return new SchemaShape(columns.Values);
    }

    /// <summary>Writes the settings into a zip.</summary>
    public void Save(IHost host, ZipWriter context)
    {
        Columns.Save(context);
        context.Writer.Write(BatchSize);
        context.Writer.Write((int)Task.Kind);
        Task.Save(host, context);
    }

    /// <summary>Reads what <see cref="Save"/> wrote.</summary>
    /// <param name="host">Whose component is loaded.</param>
    /// <param name="context">The zip.</param>
    /// <param name="model">The zip's model.</param>
    /// <exception cref="InvalidDataException">No transformer has such settings.</exception>
    public static ScoringSettings Load(IHost host, ZipReader context, CoLMModel model)
    {
        var columns = TextColumns.Load(context);
        var batchSize = context.Reader.ReadInt32();
        var kind = (ScoringTask)context.Reader.ReadInt32();
        return new ScoringSettings(columns, batchSize, kind switch
        {
            ScoringTask.LanguageModeling => LanguageModelScoring.Load(context),
            ScoringTask.Features => FeatureScoring.Load(context),
            ScoringTask.MulticlassClassification => MulticlassScoring.Load(host, context, model),
            ScoringTask.BinaryClassification => BinaryScoring.Load(context, model),
            ScoringTask.Regression => RegressionScoring.Load(context, model),
            ScoringTask.Completion => CompletionScoring.Load(context),
            _ => throw new InvalidDataException($"The zip's scoring task {kind} is not known."),
        }).Checked(model);
    }

    private ScoringSettings Checked(CoLMModel model)
    {
        try
        {
            if (BatchSize is < 1 or > ElasticScoringEstimator.Options.MaximumBatchSize)
            {
                throw new InvalidDataException("The zip's batch size must be between 1 and " +
                    $"{ElasticScoringEstimator.Options.MaximumBatchSize}, found {BatchSize}.");
            }
            Task.CheckFits(model.Config);
            return this;
        }
        catch
        {
            Task.Head?.Dispose();
            throw;
        }
    }

    private static SchemaShape Annotations(DataViewSchema.DetachedColumn column) =>
        SchemaShape.Create(column.Annotations?.Schema ?? DataViewSchema.Annotations.Empty.Schema);
}
