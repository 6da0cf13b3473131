using Microsoft.ML.CoLM.Evaluation;

namespace Microsoft.ML.CoLM.Training;

/// <summary>Every n-th batch of a validation, and the others' numbers from those who compute them.</summary>
internal sealed class RankShare(TrainingRanks ranks) : BatchShare
{
    /// <exception cref="OperationCanceledException">A rank was cancelled meanwhile: all throw it.</exception>
    public override double[][] Compute<T>(IReadOnlyList<T> batches, Func<T, int> count, Func<T, double[]> compute)
    {
        var starts = new int[batches.Count + 1];
        for (var i = 0; i < batches.Count; i++)
            starts[i + 1] = checked(starts[i] + count(batches[i]));

        // The last number says whether any rank was cancelled. Adding zeros changes no other.
        var numbers = new double[starts[^1] + 1];
        OperationCanceledException? cancelled = null;
        try
        {
            for (var i = ranks.Rank; i < batches.Count; i += ranks.Size)
                compute(batches[i]).CopyTo(numbers, starts[i]);
        }
        catch (OperationCanceledException e)
        {
            cancelled = e;
            numbers[^1] = 1;
        }
        ranks.Communicator.Sum(numbers);
        if (numbers[^1] > 0)
            throw ranks.Agreed(cancelled ?? new OperationCanceledException("Training was cancelled on another rank."));
        return [.. batches.Select((_, i) => numbers[starts[i]..starts[i + 1]])];
    }
}
