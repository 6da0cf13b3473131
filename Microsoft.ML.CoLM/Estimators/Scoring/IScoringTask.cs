using Microsoft.ML.CoLM.Evaluation;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.Runtime;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>
/// What is computed of a text: the columns that it fills, and how. Immutable; equal when all settings are.
/// </summary>
internal interface IScoringTask
{
    /// <summary>Which task a zip is to say that it is.</summary>
    TaskKind Kind { get; }

    /// <summary>The most chains that a row is computed with.</summary>
    int ChainCount { get; }

    /// <summary>The task's own head, freed with the last transformer that has it; null where the task has none.</summary>
    ChainHead? Head => null;

    /// <summary>What is read of a text that is too long; null where it is read in windows.</summary>
    string? OnlyReads => null;

    /// <summary>The same with this many chains for every row.</summary>
    IScoringTask WithChainCount(int chainCount);

    /// <summary>The same, stopping rows where they are clear.</summary>
    /// <exception cref="NotSupportedException">The task knows no such thing.</exception>
    IScoringTask WithCascade(CascadeOptions cascade);

    /// <summary>Refuses a model that the task's settings do not fit.</summary>
    /// <exception cref="ArgumentException">The model lacks chains that are to be used.</exception>
    void CheckFits(CoLMConfig config);

    /// <summary>The columns that are added.</summary>
    /// <param name="config">The model; null where it is not loaded yet, and a vector's size makes no difference.</param>
    DataViewSchema.DetachedColumn[] OutputColumns(CoLMConfig? config);

    /// <summary>Getters of all output columns, in the columns' order; nothing is computed before one is called.</summary>
    Delegate[] CreateGetters(RowScoring rows);

    /// <summary>Writes the settings into a zip.</summary>
    void Save(IHost host, ZipWriter context);
}
