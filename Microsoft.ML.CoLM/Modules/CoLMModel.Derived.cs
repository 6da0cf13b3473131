using System.IO.Hashing;
using System.Runtime.InteropServices;
using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

/// <summary>Data derived from the weights and cached: it must not outlive them.</summary>
public sealed partial class CoLMModel
{
    private readonly Lock _mergeGate = new();
    private CoLMModel? _merged;
    private ulong _mergedFrom;

    /// <summary>What inference caches with this model.</summary>
    internal EngineSlot Engine { get; } = new();

    /// <summary>
    /// The model that computes the same without adapters, for kernels that read only weights: this one, or one that is cached
    /// as long as weights and adapters do not change, and disposed with this one.
    /// </summary>
    internal CoLMModel WithoutAdapters()
    {
        CheckUsable();
        if (Adapters is null)
            return this;
        lock (_mergeGate)
        {
            // A program may write weights in place, which nobody is told of.
            var hash = HashOfWhatIsMerged();
            if (_merged is not null && hash == _mergedFrom)
                return _merged;
            _merged?.Dispose();
            (_merged, _mergedFrom) = (MergeAdapters(), hash);
            return _merged;
        }
    }

    /// <summary>Begins a use of <see cref="WithoutAdapters"/>.</summary>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    internal Lifetime.Use EnterWithoutAdapters(out CoLMModel model)
    {
        using var use = Enter();
        lock (_mergeGate)
        {
            model = WithoutAdapters();
            return model.Enter();
        }
    }

    /// <summary>Releases what was derived from the weights; current users may finish with it.</summary>
    internal void ForgetDerived()
    {
        Engine.Replace(null);
        lock (_mergeGate)
        {
            _merged?.Dispose();
            _merged = null;
        }
    }

    /// <inheritdoc/>
    public override (IList<string> missing_keys, IList<string> unexpected_keyes) load_state_dict(
        Dictionary<string, Tensor> source, bool strict = true, IList<string>? skip = null)
    {
        var keys = base.load_state_dict(source, strict, skip);
        ForgetDerived();
        return keys;
    }

    /// <inheritdoc/>
    public override void train(bool train = true)
    {
        if (train)
            ForgetDerived();
        base.train(train);
    }

    // Chains before the adapters' are shared with the merged model, not copied.
    private ulong HashOfWhatIsMerged()
    {
        Tensor[] read = [.. named_parameters()
            .Where(entry => !ParameterName.IsOfChains(entry.name) || ParameterName.Parse(entry.name).Chain >= Adapters!.FirstChain)
            .Select(entry => entry.parameter)];
        var hashes = new ulong[read.Length];
        ParallelWork.For(read.Length, i => hashes[i] = TensorMemory.Hash(read[i]));
        return XxHash3.HashToUInt64(MemoryMarshal.AsBytes<ulong>(hashes));
    }
}
