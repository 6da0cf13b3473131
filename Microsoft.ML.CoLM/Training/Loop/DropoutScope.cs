using Microsoft.ML.CoLM.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>
/// Adapters drop inputs while this lives, from random numbers that the seed and the batch alone decide; torch's own go on as
/// they were.
/// </summary>
internal sealed class DropoutScope : IDisposable
{
    private readonly LowRankAdapters? _adapters;
    private readonly Tensor? _randomState;

    /// <param name="adapters">The model's adapters; null for none.</param>
    /// <param name="seed">The training's seed.</param>
    /// <param name="batch">Number of the batch since the beginning of training.</param>
    public DropoutScope(LowRankAdapters? adapters, int seed, long batch)
    {
        if (adapters is null || adapters.Lora.Dropout == 0)
            return;
        _adapters = adapters;
        _randomState = random.get_rng_state().DetachFromDisposeScope();
        // Mixed, since neighbours among the seeds of libtorch's generators begin alike.
        _ = random.manual_seed(unchecked((long)Mixed(((ulong)(uint)seed << 32) ^ (ulong)batch)));
        adapters.train();
    }

    public void Dispose()
    {
        if (_randomState is null)
            return;
        _adapters!.eval();
        random.set_rng_state(_randomState);
        _randomState.Dispose();
    }

    // SplitMix64's step (Steele, Lea and Flood 2014).
    private static ulong Mixed(ulong number)
    {
        number += 0x9e3779b97f4a7c15;
        number = (number ^ (number >> 30)) * 0xbf58476d1ce4e5b9;
        number = (number ^ (number >> 27)) * 0x94d049bb133111eb;
        return number ^ (number >> 31);
    }
}
