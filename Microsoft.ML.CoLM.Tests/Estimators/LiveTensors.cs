using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Estimators;

/// <summary>How many tensors are alive.</summary>
internal static class LiveTensors
{
    /// <summary>The number as it is, with those that only wait for the garbage collector.</summary>
    public static long Count => Tensor.TotalCount;

    /// <summary>The number after the collector was here: what earlier tests left does not come in between.</summary>
    public static long CountSettled()
    {
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        return Count;
    }
}
