using Microsoft.ML.CoLM.Interop;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>Adds up the gradients of all ranks, in float32.</summary>
/// <remarks>
/// After the backward pass, not beside it: where every core computes, as on a CPU, an exchange beside it takes from the
/// computation what it gains, and libtorch's hooks, which would tell when a gradient is complete, are out of TorchSharp's reach.
/// </remarks>
internal static unsafe class GradientExchange
{
    // Of fewer elements the exchange's latency costs more than packing them together does (samples/Benchmarks, exchange).
    private const long PackedBelow = 1 << 16;

    /// <summary>Replaces gradients by their sums; a parameter without one counts as zero, and has one then.</summary>
    public static void Sum(Communicator communicator, IReadOnlyList<TrainedParameter> parameters)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        List<Tensor> small = [];
        foreach (var parameter in parameters)
        {
            var gradient = parameter.SummedGradient();
            if (gradient.numel() < PackedBelow)
                small.Add(gradient);
            else
                Sum(communicator, gradient);
        }
        if (small.Count > 0)
            SumPacked(communicator, small);
    }

    private static void SumPacked(Communicator communicator, List<Tensor> gradients)
    {
        var packed = cat([.. gradients.Select(gradient => gradient.reshape(-1))]);
        Sum(communicator, packed);
        var start = 0L;
        foreach (var gradient in gradients)
        {
            gradient.copy_(packed.narrow(0, start, gradient.numel()).view(gradient.shape));
            start += gradient.numel();
        }
    }

    private static void Sum(Communicator communicator, Tensor gradient)
    {
        var isReadInPlace = gradient.is_contiguous() &&
            (gradient.device_type == DeviceType.CPU || (gradient.device_type == DeviceType.CUDA && communicator.ReadsDeviceMemory));
        using var copy = isReadInPlace ? null : gradient.cpu().contiguous();
        var read = copy ?? gradient;
        var address = TensorData.AddressOf(read);
        if (read.device_type == DeviceType.CUDA)
            cuda.synchronize(read.device);
        for (var start = 0L; start < read.numel(); start += int.MaxValue)
        {
            var (first, count) = (address + (nint)(start * sizeof(float)), (int)Math.Min(int.MaxValue, read.numel() - start));
            if (read.device_type == DeviceType.CUDA)
                communicator.SumDeviceMemory(first, count);
            else
                communicator.Sum(new Span<float>((void*)first, count));
        }
        if (copy is not null)
            gradient.copy_(copy);
        GC.KeepAlive(read);
    }
}
