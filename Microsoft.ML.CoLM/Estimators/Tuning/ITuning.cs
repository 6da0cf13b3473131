namespace Microsoft.ML.CoLM.Estimators;

/// <summary>What is learnt: the columns that it reads and adds, and how it is trained.</summary>
internal interface ITuning
{
    /// <summary>The text that it reads.</summary>
    TextColumns Columns { get; }

    /// <summary>Whether the language heads of tuned chains are trained, too.</summary>
    bool TrainsLanguageHeads { get; }

    /// <summary>Refuses data without the columns that it reads.</summary>
    /// <param name="schema">The training data's.</param>
    /// <param name="validationSet">The validation set's; null where there is none.</param>
    /// <exception cref="ArgumentException">A column is missing, or of another type; the message names it.</exception>
    void CheckColumns(DataViewSchema schema, DataViewSchema? validationSet);

    /// <summary>The schema with the columns that the transformer adds.</summary>
    /// <exception cref="ArgumentException">A column is missing, or of another type; the message names it.</exception>
    SchemaShape OutputShape(SchemaShape input);

    /// <summary>Reads the rows.</summary>
    /// <exception cref="ArgumentException">The rows do not suffice, or an option does not fit them.</exception>
    /// <exception cref="OperationCanceledException">Training was cancelled meanwhile.</exception>
    TuningRun Prepare(TuningSetting setting);
}
