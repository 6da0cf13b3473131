namespace Microsoft.ML.CoLM.Training;

/// <summary>What a training run makes small, batch by batch.</summary>
/// <remarks>
/// A loss depends on the batch's number, the parameters and the state of torch's generator alone: then a training that
/// was interrupted goes on as it would have.
/// </remarks>
internal abstract class BatchObjective
{
    /// <summary>The model that is trained.</summary>
    public abstract CoLMModel Model { get; }

    /// <summary>Batches of so many passes over the data.</summary>
    public abstract long BatchesOf(int epochs);

    /// <summary>The loss of a batch, with gradients.</summary>
    /// <param name="batch">Number of the batch since the beginning of training; epochs follow each other.</param>
    public abstract BatchLoss Loss(long batch);
}
