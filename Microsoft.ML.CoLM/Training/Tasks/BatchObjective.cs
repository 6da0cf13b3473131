namespace Microsoft.ML.CoLM.Training;

/// <summary>What a training run makes small, batch by batch.</summary>
/// <remarks>
/// A loss depends on the batch's number and the parameters alone, dropout included: so a training that was interrupted goes on as
/// it would have, and it does not matter which of several processes computes a batch.
/// </remarks>
/// <param name="seed">The seed of adapters' dropout.</param>
internal abstract class BatchObjective(int seed = 0)
{
    /// <summary>The model that is trained.</summary>
    public abstract CoLMModel Model { get; }

    /// <summary>Called between a batch's features and what a head makes of them, to measure both; null for nobody.</summary>
    public Action? BeforeHead { get; set; }

    /// <summary>Batches of so many passes over the data.</summary>
    public abstract long BatchesOf(int epochs);

    /// <summary>The loss of a batch, with gradients.</summary>
    /// <param name="batch">Number of the batch since the beginning of training; epochs follow each other.</param>
    public BatchLoss Loss(long batch)
    {
        using var dropout = new DropoutScope(Model.Adapters, seed, batch);
        return Compute(batch);
    }

    /// <inheritdoc cref="Loss"/>
    protected abstract BatchLoss Compute(long batch);
}
