using Microsoft.ML.Data;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>
/// The columns that say how probable a text is. They carry annotations that tell them apart by other names and behind other
/// transforms.
/// </summary>
internal static class LanguageColumns
{
    private const string ColumnKind = AnnotationUtils.Kinds.ScoreColumnKind;
    private const string ValueKind = AnnotationUtils.Kinds.ScoreValueKind;
    private const string ChainCountKind = nameof(LanguageModelMetrics.ChainCount);

    /// <summary>The columns.</summary>
    /// <param name="logProbability">Name of the Single: natural log, summed over the tokens that are scored.</param>
    /// <param name="tokenCount">Name of the Int32: tokens scored.</param>
    /// <param name="perplexity">Name of the Single: exp(-log-probability / tokens).</param>
    /// <param name="chainCount">What rows are scored with; null where that is a row's own.</param>
    public static DataViewSchema.DetachedColumn[] Create(
        string logProbability, string tokenCount, string perplexity, int? chainCount) =>
    [
        new(logProbability, NumberDataViewType.Single, Annotations(DefaultColumnNames.LogProbability, chainCount)),
        new(tokenCount, NumberDataViewType.Int32, Annotations(DefaultColumnNames.TokenCount, chainCount)),
        new(perplexity, NumberDataViewType.Single, Annotations(DefaultColumnNames.Perplexity, chainCount)),
    ];

    /// <summary>The column of log-probabilities.</summary>
    /// <exception cref="ArgumentException">There is none, or its type is not Single.</exception>
    public static DataViewSchema.Column LogProbability(DataViewSchema schema) =>
        Find(schema, DefaultColumnNames.LogProbability, NumberDataViewType.Single);

    /// <summary>The column of token counts.</summary>
    /// <exception cref="ArgumentException">There is none, or its type is not Int32.</exception>
    public static DataViewSchema.Column TokenCount(DataViewSchema schema) =>
        Find(schema, DefaultColumnNames.TokenCount, NumberDataViewType.Int32);

    /// <summary>Whether both are there, of their types.</summary>
    public static bool AreIn(DataViewSchema schema) =>
        Named(schema, DefaultColumnNames.LogProbability)?.Type == NumberDataViewType.Single &&
        Named(schema, DefaultColumnNames.TokenCount)?.Type == NumberDataViewType.Int32;

    /// <summary>What the rows of a column were scored with; 0 where it does not say.</summary>
    public static int ChainCount(DataViewSchema.Column column)
    {
        var chainCount = 0;
        if (column.Annotations.Schema.GetColumnOrNull(ChainCountKind)?.Type is NumberDataViewType { RawType: var type } && type == typeof(int))
            column.Annotations.GetValue(ChainCountKind, ref chainCount);
        return chainCount;
    }

    private static DataViewSchema.Column Find(DataViewSchema schema, string name, DataViewType type)
    {
        if (Named(schema, name) is not { } found)
        {
            throw new ArgumentException($"The scored data has no column '{name}', nor one of another name that a model of " +
                $"{TaskKind.LanguageModeling} wrote. It has {TextColumns.ColumnNames(schema)}.");
        }
        return found.Type.Equals(type) ? found : throw new ArgumentException(
            $"The scored data must have column '{found.Name}' of type {type}, found {found.Type}.");
    }

    // The last that says so, since later scores hide, or follow, earlier ones; where none does, by its usual name.
    private static DataViewSchema.Column? Named(DataViewSchema schema, string name)
    {
        DataViewSchema.Column[] named = [.. schema.Where(column => !column.IsHidden && IsValue(column, name))];
        return named.Length > 0 ? named[^1] : schema.GetColumnOrNull(name);
    }

    private static bool IsValue(DataViewSchema.Column column, string name) =>
        Text(column, ColumnKind) == nameof(TaskKind.LanguageModeling) && Text(column, ValueKind) == name;

    private static string? Text(DataViewSchema.Column column, string kind)
    {
        if (column.Annotations.Schema.GetColumnOrNull(kind)?.Type is not TextDataViewType)
            return null;
        ReadOnlyMemory<char> text = default;
        column.Annotations.GetValue(kind, ref text);
        return text.ToString();
    }

    private static DataViewSchema.Annotations Annotations(string name, int? chainCount)
    {
        var builder = new DataViewSchema.Annotations.Builder();
        Add(ColumnKind, nameof(TaskKind.LanguageModeling));
        Add(ValueKind, name);
        if (chainCount is { } count)
            builder.Add(ChainCountKind, NumberDataViewType.Int32, (ref int value) => value = count);
        return builder.ToAnnotations();

        void Add(string kind, string value) =>
            builder.Add(kind, TextDataViewType.Instance, (ref ReadOnlyMemory<char> text) => text = value.AsMemory());
    }
}
