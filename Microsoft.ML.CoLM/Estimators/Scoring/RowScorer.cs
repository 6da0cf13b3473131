using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.Data;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>
/// What a row is scored by: the columns that are filled, and how. Immutable; equal when all settings are.
/// </summary>
/// <param name="Depth">How deep rows go.</param>
internal abstract record RowScorer(Depth Depth)
{
    /// <summary>Which task a zip is to say that it is.</summary>
    public abstract TaskKind Kind { get; }

    /// <summary>The task's own head, freed with the last transformer that has it; null where the task has none.</summary>
    public virtual ChainHead? Head => null;

    /// <summary>What is read of a text that is too long; null where it is read in windows.</summary>
    public virtual string? OnlyReads => null;

    /// <summary>Why no cascade scores it; null where one does.</summary>
    protected virtual string? WhyNoCascade => null;

    /// <summary>Whether rows of a cascade stop at a loss, not at a margin.</summary>
    protected virtual bool StopsByLoss => false;

    /// <summary>The same at another depth.</summary>
    /// <exception cref="NotSupportedException">It is a cascade, and rows have nothing to stop at.</exception>
    /// <exception cref="ArgumentException">It is a cascade of losses where rows stop at margins, or the other way round.</exception>
    public RowScorer WithDepth(Depth depth)
    {
        if (depth.Cascade is { } cascade)
        {
            if (WhyNoCascade is { } why)
                throw new NotSupportedException(why);
            CascadeOptions.CheckKind(cascade, StopsByLoss);
        }
        return this with { Depth = depth };
    }

    /// <summary>The columns that are added.</summary>
    /// <param name="config">The model; null where it is not loaded yet, and a vector's size makes no difference.</param>
    public abstract DataViewSchema.DetachedColumn[] OutputColumns(CoLMConfig? config);

    /// <summary>Getters of all output columns, in the columns' order; nothing is computed before one is called.</summary>
    public abstract Delegate[] CreateGetters(RowsToScore rows);

    /// <summary>Writes the settings into a zip.</summary>
    public abstract void Save(IHost host, ZipWriter context);
}
