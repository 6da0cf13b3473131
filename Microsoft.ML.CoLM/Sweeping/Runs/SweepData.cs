using System.Globalization;
using Microsoft.ML.CoLM.Estimators;
using Microsoft.ML.CoLM.Evaluation;

namespace Microsoft.ML.CoLM.Sweeping;

/// <summary>The rows of a sweep: in two parts, or in folds.</summary>
/// <param name="Train">The rows to train on; of folds all rows.</param>
/// <param name="Validation">The rows to judge by; null for folds.</param>
/// <param name="FoldCount">How many folds there are; 0 for two parts.</param>
/// <param name="SamplingKey">The column whose equal values stay in one fold; null for none.</param>
internal sealed record SweepData(IDataView Train, IDataView? Validation, int FoldCount = 0, string? SamplingKey = null)
{
    // Of a MLContext without one: a sweep that goes on judges by the same rows as before.
    private const int DefaultSeed = 1;

    public bool HasFolds => FoldCount > 0;

    /// <summary>The parts, or the folds.</summary>
    /// <param name="mlContext">What divides the rows.</param>
    /// <param name="seed">The MLContext's seed.</param>
    /// <exception cref="ArgumentException">A fold has no rows.</exception>
    public IReadOnlyList<Fold> Folds(MLContext mlContext, int? seed)
    {
        if (!HasFolds)
            return [new(Train, Validation!)];
        Fold[] folds = [.. mlContext.Data.CrossValidationSplit(Train, FoldCount, SamplingKey, seed ?? DefaultSeed)
            .Select(split => new Fold(split.TrainSet, split.TestSet))];
        if (Array.Exists(folds, fold => !HasRows(fold.Train) || !HasRows(fold.Validation)))
        {
            throw new ArgumentException(string.Create(CultureInfo.InvariantCulture, $"The data must have rows for each of {FoldCount} folds, ") +
                $"found a fold without: the data has too few rows{(SamplingKey is null ? "" : $", or column '{SamplingKey}' too few different values")}.");
        }
        return folds;
    }

    /// <summary>Refuses folds that are none.</summary>
    public void Check()
    {
        if (!HasFolds || SamplingKey is null)
            return;
        if (SamplingKey.Length == 0)
            throw new ArgumentException("The name of the sampling key's column is empty.");
        if (Train.Schema.GetColumnOrNull(SamplingKey) is null)
        {
            throw new ArgumentException($"The data has no column '{SamplingKey}', the sampling key. It has " +
                $"{TextColumns.ColumnNames(Train.Schema)}.");
        }
    }

    private static bool HasRows(IDataView data)
    {
        using var rows = data.GetRowCursor([]);
        return rows.MoveNext();
    }
}
