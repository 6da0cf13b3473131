using Microsoft.ML.CoLM.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Training;

/// <summary>Adapters drop inputs while this lives, from the random numbers of a seed; torch's own go on as they were.</summary>
internal sealed class DropoutScope : IDisposable
{
    private readonly LowRankAdapters? _adapters;
    private readonly Tensor? _randomState;

    public DropoutScope(LowRankAdapters? adapters, int seed)
    {
        if (adapters is null || adapters.Lora.Dropout == 0)
            return;
        _adapters = adapters;
        _randomState = random.get_rng_state().DetachFromDisposeScope();
        _ = random.manual_seed(seed);
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
}
