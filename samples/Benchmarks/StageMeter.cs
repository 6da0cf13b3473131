using System.Diagnostics;
using Microsoft.ML.CoLM.Interop;
using TorchSharp;

namespace Benchmarks;

/// <summary>Time, peak memory and live tensors of things that are done one after the other.</summary>
/// <param name="report">Gets a row for each.</param>
internal sealed class StageMeter(Report report)
{
    private const double MiB = 1 << 20;

    // Of a trained parameter: weights, gradient and AdamW's two means in float32, and a gradient in the model's type.
    private const int BytesOfTrained = 18;
    private const double Rest = 2e9;

    /// <summary>Whether no stage so far needed more than it may.</summary>
    public bool HasHeld { get; private set; } = true;

    /// <summary>Does a thing, and adds it to the report.</summary>
    /// <param name="name">What it is.</param>
    /// <param name="work">Does it, and gives the bytes of the weights that are in memory then.</param>
    /// <param name="trained">Parameters that were trained, known afterwards; null for none.</param>
    /// <returns>The seconds that it took.</returns>
    public double Measure(string name, Func<long> work, Func<long>? trained = null)
    {
        _ = ResidentMemory.ResetPeak();
        var start = Stopwatch.GetTimestamp();
        var weights = work();
        var seconds = Stopwatch.GetElapsedTime(start).TotalSeconds;
        var peak = ResidentMemory.Peak();
        ProcessMemory.ReturnFree(); // and with it tensors that only wait for the garbage collector
        // Tensor.TotalCount counts a parameter twice when it is made and once when it is disposed. Of this thread: it makes all.
        var tensors = DisposeScopeManager.Statistics.TensorStatistics.ThreadTotalLiveCount;

        var allowed = (weights + BytesOfTrained * (trained?.Invoke() ?? 0) + Rest) / MiB;
        HasHeld &= peak <= allowed;
        report.Add(name, new Samples([seconds]), "s", values: new Dictionary<string, double>
        {
            ["weights"] = Math.Round(weights / MiB),
            ["peak"] = Math.Round(peak),
            ["allowed"] = Math.Round(allowed),
            ["tensors"] = tensors,
        });
        Console.WriteLine(FormattableString.Invariant(
            $"{name}: {seconds:F1} s, peak {peak:F0} MiB of {allowed:F0}, {tensors} live tensors"));
        return seconds;
    }
}
