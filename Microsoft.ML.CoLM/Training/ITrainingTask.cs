namespace Microsoft.ML.CoLM.Training;

/// <summary>What a training run makes small, batch by batch.</summary>
internal interface ITrainingTask
{
    /// <summary>The model that is trained.</summary>
    CoLMModel Model { get; }

    /// <summary>Batches of so many passes over the data.</summary>
    long BatchesOf(int epochs);

    /// <summary>The loss of a batch, with gradients.</summary>
    /// <param name="batch">Number of the batch since the beginning of training; epochs follow each other.</param>
    BatchLoss Loss(long batch);
}
