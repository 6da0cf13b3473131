using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMModel
{
    /// <summary>Creates a model that has this one's adapters merged into its weights.</summary>
    /// <returns>
    /// The model, which the caller disposes. Chains without an adapter share their memory with this model's.
    /// </returns>
    /// <remarks>
    /// W_i + alpha / rank · B_i · A_i (Hu et al. 2021): it computes the same, up to rounding, without the adapters' cost.
    /// Without adapters, the result shares all weights. Quantised chains that have adapters become numbers in
    /// <see cref="DataType"/>. The head of a task that the model was tuned for is copied.
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
    /// A model that shares this one's first chains, frozen, and has its own copies of the later ones, as numbers.
    /// </summary>
    /// <param name="sharedChains">How many chains to share.</param>
    internal CoLMModel Share(int sharedChains) => Share(
        Config with { WeightFormats = [.. Config.WeightFormats.Take(sharedChains)] },
        name => ParameterName.Parse(name).Chain < sharedChains);

    /// <summary>
    /// A model that shares this one's chains, frozen, but has its own language heads: copies, with the first chain's untied
    /// from the embedding.
    /// </summary>
    internal CoLMModel ShareAllButHeads() => Share(
        Config with { TieWordEmbeddings = false }, name => ParameterName.Parse(name).Module != ParameterName.Head);

    private CoLMModel Share(CoLMConfig config, Predicate<string> isShared)
    {
        using var use = Enter();
        var model = new CoLMModel(config, Device, DataType) { Companions = Companions, RoundsActivations = RoundsActivations };
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var sources = ChainParameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        foreach (var (name, parameter) in model.named_parameters())
        {
            using var part = NewDisposeScope();
            var source = sources.GetValueOrDefault(name) ?? Numbers(name);
            // libtorch counts references to a tensor's memory: either model may be disposed first.
            if (isShared(name))
                parameter.set_(source.detach());
            else
                parameter.copy_(source);
            parameter.requires_grad = !isShared(name) && !ParameterName.IsPacked(name);
        }
        return model;
    }

    // Of a matrix that is quantised in this model, or of a head that it ties to the embedding.
    private Tensor Numbers(string name)
    {
        var (module, chain) = ParameterName.Parse(name);
        var matrix = module == ParameterName.Head
            ? Head.HeadWeight(chain)
            : ChainModules().First(entry => entry.Name == module).Module.Matrix(chain);
        return matrix.Widened(DataType);
    }

    /// <summary>
    /// Frees every weight that is bit-for-bit the same in another model, and uses the other model's instead.
    /// </summary>
    /// <param name="other">A model on the same device; it is not changed.</param>
    /// <returns>The size, in bytes, of the weights that are now shared.</returns>
    /// <remarks>
    /// Tasks tuned from one model share its frozen weights; loaded from separate zips, each has its own copy until this is
    /// called. Either model may be disposed first. Do not call it while another thread uses this model, or on models whose
    /// weights a program modifies: both would change.
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
            // libtorch counts references to a tensor's memory: either model may be disposed first.
            parameter.set_(source.detach());
            bytes += parameter.numel() * parameter.ElementSize;
        }
        ForgetDerived();
        return bytes;
    }
}
