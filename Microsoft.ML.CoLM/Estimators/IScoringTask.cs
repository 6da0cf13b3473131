using Microsoft.ML.Runtime;
using Microsoft.ML.Tokenizers;

namespace Microsoft.ML.CoLM.Estimators;

/// <summary>
/// What is computed of a text: the columns that it fills, and how. Immutable; equal when all settings are.
/// </summary>
internal interface IScoringTask
{
    /// <summary>Which task a zip is to say that it is.</summary>
    ScoringTask Kind { get; }

    /// <summary>The most chains that a row is computed with.</summary>
    int ChainCount { get; }

    /// <summary>The same with this many chains for every row.</summary>
    IScoringTask WithChainCount(int chainCount);

    /// <summary>Refuses a model that the task's settings do not fit.</summary>
    /// <exception cref="ArgumentException">The model lacks chains that are to be used.</exception>
    void CheckFits(CoLMConfig config);

    /// <summary>The columns that are added.</summary>
    /// <param name="config">The model; null where it is not loaded yet, and a vector's size makes no difference.</param>
    DataViewSchema.DetachedColumn[] OutputColumns(CoLMConfig? config);

    /// <summary>Getters of all output columns, in the columns' order; nothing is computed before one is called.</summary>
    Delegate[] CreateGetters(CoLMModel model, Tokenizer tokenizer, ITextBatches texts, string textColumnName);

    /// <summary>Writes the settings into a zip.</summary>
    void Save(ModelSaveContext context);
}
