using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMModel
{
    /// <summary>A model of its own whose weights have the adapters of this one in them.</summary>
    /// <returns>
    /// The model, which the caller disposes. Chains without an adapter share their memory with this model's.
    /// </returns>
    /// <remarks>
    /// W_i + alpha / rank · B_i · A_i (Hu et al. 2021): it computes the same, to rounding, without the adapters' cost. A
    /// model without adapters gives one that shares all its weights. The head of a task that the model was tuned for is
    /// copied.
    /// </remarks>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public CoLMModel MergeAdapters()
    {
        using var use = Enter();
        var merged = Share(Adapters?.FirstChain ?? Config.ChainCount);
        Adapters?.AddTo(merged);
        merged.Task = Task?.CopyFor(merged);
        return merged;
    }

    /// <summary>
    /// A model whose first chains are this one's, not copied and frozen, and whose later chains are copies of their own.
    /// </summary>
    /// <param name="sharedChains">How many chains to share.</param>
    internal CoLMModel Share(int sharedChains) =>
        Share(Config, name => ParameterName.Parse(name).Chain < sharedChains);

    /// <summary>
    /// A model whose chains are this one's, not copied and frozen, with language heads of their own: copies, the first
    /// chain's of the embedding that it was tied to.
    /// </summary>
    internal CoLMModel ShareAllButHeads() => Share(
        Config with { TieWordEmbeddings = false }, name => ParameterName.Parse(name).Module != ParameterName.Head);

    private CoLMModel Share(CoLMConfig config, Predicate<string> isShared)
    {
        using var use = Enter();
        var model = new CoLMModel(config, Device, DataType) { Companions = Companions };
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var sources = ChainParameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        foreach (var (name, parameter) in model.named_parameters())
        {
            var source = sources.GetValueOrDefault(name) ?? Head.HeadWeight(ParameterName.Parse(name).Chain);
            // libtorch counts who uses a tensor's memory: either model may be disposed first.
            if (isShared(name))
                parameter.set_(source.detach());
            else
                parameter.copy_(source);
            parameter.requires_grad = !isShared(name);
        }
        return model;
    }

    /// <summary>
    /// Gives up the memory of every weight that is the same, to the bit, in another model, and uses the other's.
    /// </summary>
    /// <param name="other">A model on the same device; it stays as it is.</param>
    /// <returns>Bytes of the weights that both now use.</returns>
    /// <remarks>
    /// Tasks that were tuned from one model share its frozen weights; read from zips of their own, each has a copy of them,
    /// until this is called. Either model may be disposed first. Not while this model is in use by another thread, and not
    /// for models whose weights a program changes: both would change.
    /// </remarks>
    /// <exception cref="ArgumentException">The models are on different devices.</exception>
    /// <exception cref="InvalidOperationException">This model is in use.</exception>
    /// <exception cref="ObjectDisposedException">Either model was disposed.</exception>
    public long ShareWeights(CoLMModel other)
    {
        ArgumentNullException.ThrowIfNull(other);
        using Lifetime.Use? otherUse = ReferenceEquals(other, this) ? null : other.Enter();
        using var use = _lifetime.EnterAlone();
        if (other.Device.ToString() != Device.ToString())
        {
            throw new ArgumentException(
                $"Models that share weights must be on one device, found {Device} and {other.Device}.", nameof(other));
        }
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var sources = other.ChainParameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        long bytes = 0;
        foreach (var (name, parameter) in ChainParameters())
        {
            if (!sources.TryGetValue(name, out var source) || !TensorMemory.HaveSameBits(parameter, source))
                continue;
            // libtorch counts who uses a tensor's memory: either model may be disposed first.
            parameter.set_(source.detach());
            bytes += parameter.numel() * parameter.ElementSize;
        }
        ForgetDerived();
        return bytes;
    }
}
