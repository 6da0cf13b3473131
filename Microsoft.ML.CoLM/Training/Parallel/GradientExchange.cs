using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>Adds up the gradients of all ranks, in float32 and bucket by bucket.</summary>
/// <remarks>
/// After the backward pass, not beside it: where every core computes, as on a CPU, an exchange beside it takes from the
/// computation what it gains, and libtorch's hooks, which would tell when a gradient is complete, are out of TorchSharp's reach.
/// </remarks>
internal sealed class GradientExchange : IDisposable
{
    // A bucket holds many small gradients, or a part of a large one: fewer exchanges wait less often for a link's delay
    // (samples/Benchmarks, exchange).
    private const long BucketLength = 8 << 20;

    private readonly Communicator _communicator;
    private readonly Tensor _bucket; // on the CPU; in a GPU's memory, where MPI reads that

    /// <param name="communicator">The ranks.</param>
    /// <param name="parameters">What is trained.</param>
    public GradientExchange(Communicator communicator, IReadOnlyList<TrainedParameter> parameters)
    {
        var length = Math.Min(BucketLength, parameters.Sum(parameter => parameter.Weights.numel()));
        var device = parameters.Count > 0 && communicator.ReadsDeviceMemory ? parameters[0].Weights.device : CPU;
        (_communicator, _bucket) = (communicator, empty(length, dtype: float32, device: device).DetachFromDisposeScope());
    }

    /// <summary>Replaces gradients by their sums; a parameter without one counts as zero, and has one then.</summary>
    public void Sum(IEnumerable<TrainedParameter> parameters)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        List<(Tensor Part, long Start)> parts = [];
        var filled = 0L;
        foreach (var parameter in parameters)
        {
            var gradient = parameter.SummedGradient();
            // Where its elements do not lie in their order, they are copied to and fro.
            var flat = gradient.reshape(-1);
            for (var first = 0L; first < flat.numel();)
            {
                var count = Math.Min(flat.numel() - first, _bucket.numel() - filled);
                parts.Add((flat.narrow(0, first, count), filled));
                (first, filled) = (first + count, filled + count);
                if (filled == _bucket.numel())
                    Exchange(parts, ref filled);
            }
            if (!gradient.is_contiguous())
            {
                Exchange(parts, ref filled);
                gradient.copy_(flat.view(gradient.shape));
            }
        }
        Exchange(parts, ref filled);
    }

    public void Dispose() => _bucket.Dispose();

    private void Exchange(List<(Tensor Part, long Start)> parts, ref long filled)
    {
        if (filled == 0)
            return;
        foreach (var (part, start) in parts)
            Place(part, start).copy_(part);
        using (var sent = _bucket.narrow(0, 0, filled))
            _communicator.Sum(sent);
        foreach (var (part, start) in parts)
            part.copy_(Place(part, start));
        parts.Clear();
        filled = 0;
    }

    private Tensor Place(Tensor part, long start) => _bucket.narrow(0, start, part.numel());
}
