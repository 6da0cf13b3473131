namespace Microsoft.ML.CoLM.Estimators;

/// <summary>Where rows to learn come from: the columns that are read and added, and how the rows are trained on.</summary>
internal abstract class TuningData
{
    /// <summary>The text that is read.</summary>
    public abstract TextColumns Columns { get; }

    /// <summary>Whether the language heads of tuned chains are trained, too.</summary>
    public abstract bool TrainsLanguageHeads { get; }

    /// <summary>Refuses data without the columns that are read.</summary>
    /// <param name="schema">The training data's.</param>
    /// <param name="validationSet">The validation set's; null where there is none.</param>
    /// <exception cref="ArgumentException">A column is missing, or of another type; the message names it.</exception>
    public virtual void CheckColumns(DataViewSchema schema, DataViewSchema? validationSet)
    {
        _ = Columns.In(schema);
        if (validationSet is not null)
            _ = Columns.In(validationSet, DataRole.ValidationSet);
    }

    /// <summary>The schema with the columns that the transformer adds.</summary>
    /// <exception cref="ArgumentException">A column is missing, or of another type; the message names it.</exception>
    public abstract SchemaShape OutputShape(SchemaShape input);

    /// <summary>Reads the rows.</summary>
    /// <exception cref="ArgumentException">The rows do not suffice, or an option does not fit them.</exception>
    /// <exception cref="OperationCanceledException">Training was cancelled meanwhile.</exception>
    public abstract TuningRun Read(TuningSetting setting);
}
