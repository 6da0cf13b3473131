using Microsoft.ML.CoLM.Training;
using TorchSharp;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>Shorthand for numbers of a batch.</summary>
internal static class BatchLosses
{
    /// <summary>The mean loss of a batch, whose tensor is disposed.</summary>
    public static double Mean(this BatchLoss loss)
    {
        using var sum = loss.Sum;
        return sum.ToDouble() / loss.Count;
    }
}
