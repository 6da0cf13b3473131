namespace Microsoft.ML.CoLM.Evaluation;

/// <summary>Which batches of a validation this process computes: all of them, or its share, and the others' numbers besides.</summary>
internal class BatchShare
{
    /// <summary>One process computes all.</summary>
    public static BatchShare All { get; } = new();

    /// <summary>The numbers of every batch, whoever computes them.</summary>
    /// <param name="batches">The batches, the same in every process.</param>
    /// <param name="count">How many numbers a batch has.</param>
    /// <param name="compute">Computes a batch's numbers.</param>
    /// <returns>The numbers of each batch, in order.</returns>
    public virtual double[][] Compute<T>(IReadOnlyList<T> batches, Func<T, int> count, Func<T, double[]> compute) =>
        [.. batches.Select(compute)];
}
