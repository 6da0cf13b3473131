using Microsoft.ML.CoLM.Interop;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Text;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMModel
{
    // The paper's Chain Expansion: new chains are initialized like a LLaMA's weights, with a head of zeros.
    private const double InitialDeviation = 0.02;

    /// <summary>Adds chains to the model without changing what it computes (Chain Expansion).</summary>
    /// <param name="addedChains">The number of attention heads of each new chain.</param>
    /// <param name="kvSharing">
    /// Whether the chains share the first one's keys and values; a model of several chains keeps its own setting.
    /// </param>
    /// <param name="seed">The seed of the new random weights; null draws one.</param>
    /// <param name="initialization">How the new chains' weights are initialized.</param>
    /// <returns>
    /// An independent model on the same device: this one's chains, copied and frozen, followed by the new ones with zero heads,
    /// so its logits at every chain count are this model's. The head of a task that this model was tuned for is not copied,
    /// because it has no part for the new chains.
    /// </returns>
    /// <exception cref="ArgumentException">
    /// There is no new chain, a division of the grown layout is not exact, the model has several chains and another
    /// <paramref name="kvSharing"/>, a new chain is to be a copy of the first but has another number of heads, or
    /// <paramref name="initialization"/> is not a defined value.
    /// </exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public CoLMModel Expand(
        int[] addedChains, bool kvSharing, int? seed = null,
        ChainInitialization initialization = ChainInitialization.Normal)
    {
        using var use = Enter();
        ArgumentNullException.ThrowIfNull(addedChains);
        if (addedChains.Length == 0)
            throw new ArgumentException("Expanding a model needs at least one added chain.", nameof(addedChains));
        if (Adapters is not null)
        {
            using var merged = MergeAdapters();
            return merged.Expand(addedChains, kvSharing, seed, initialization);
        }
        if (Config.ChainCount > 1 && kvSharing != Config.KvSharing)
        {
            throw new ArgumentException($"The model's {Config.ChainCount} chains {{{Config.Layout}}} were made with " +
                $"kvSharing {Config.KvSharing}; found kvSharing {kvSharing}.", nameof(kvSharing));
        }
        CheckFits(initialization, addedChains);
        var config = Config with { Layout = Config.Layout.Append(addedChains), KvSharing = kvSharing };
        var grown = new CoLMModel(config.Validated(), Device, DataType) { Companions = Companions, RoundsActivations = RoundsActivations };
        try
        {
            grown.Initialise(Config.ChainCount, seed);
            using var noGradients = no_grad();
            using var scope = NewDisposeScope();
            var own = grown.named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter);
            foreach (var (name, parameter) in ChainParameters())
            {
                own[name].copy_(parameter);
                own[name].requires_grad = false;
            }
            if (initialization == ChainInitialization.CopyFirstChain)
                grown.CopyFirstChain(Config.ChainCount);
            return grown;
        }
        catch
        {
            grown.Dispose();
            throw;
        }
    }

    private void CheckFits(ChainInitialization initialization, int[] addedChains)
    {
        if (!Enum.IsDefined(initialization))
        {
            throw new ArgumentException(
                $"Expected a {nameof(ChainInitialization)}, found {initialization}.", nameof(initialization));
        }
        var heads = Config.Heads(0);
        if (initialization == ChainInitialization.CopyFirstChain && Array.Exists(addedChains, added => added != heads))
        {
            throw new ArgumentException($"Chains that start as copies of the first must have its {heads} heads each, " +
                $"found [{string.Join(", ", addedChains)}].", nameof(addedChains));
        }
    }

    /// <summary>
    /// Makes the features of a chain and all later ones equal to the first chain's: its weights, with zeros for the
    /// contribution of earlier chains.
    /// </summary>
    private void CopyFirstChain(int firstChain)
    {
        var weights = named_parameters().ToDictionary(entry => entry.name, entry => entry.parameter);
        foreach (var (name, parameter) in weights)
        {
            var (module, chain) = ParameterName.Parse(name);
            if (chain < firstChain || module == ParameterName.Head)
                continue;
            using var scope = NewDisposeScope();
            var name0 = $"{module}.{ParameterName.OfChain(0)}";
            var source = weights.GetValueOrDefault(name0) ?? Numbers(name0);
            parameter.zero_();
            // The chain's own inputs come last: all of an embedding and a norm, the last columns of a linear layer.
            var inputs = source.size(-1);
            parameter.narrow(-1, parameter.size(-1) - inputs, inputs).copy_(source);
        }
    }

    /// <summary>Creates a model with random weights, for a custom training loop.</summary>
    /// <param name="config">The architecture.</param>
    /// <param name="seed">The seed of the weights, which are the same on every device; null draws one.</param>
    /// <param name="device">The device of the weights; null is the CPU.</param>
    /// <param name="dtype">Float32, BFloat16 or Float16.</param>
    /// <returns>
    /// The model, which the caller disposes: all chains are trainable and have their own heads; there is no tokenizer. To
    /// create and train one in a single step, use <see cref="ChainExpansionEstimator.Options.Architecture"/>.
    /// </returns>
    /// <exception cref="ArgumentException">
    /// The architecture cannot be built, or <paramref name="dtype"/> is not a weight type; the message says why.
    /// </exception>
    /// <exception cref="InsufficientMemoryException">A weight does not fit in memory; the message has its shape.</exception>
    /// <exception cref="DllNotFoundException">TorchSharp's native libraries cannot be loaded.</exception>
    /// <exception cref="NotSupportedException">
    /// The version of TorchSharp or ML.NET is not the one that this library requires.
    /// </exception>
    public static CoLMModel Create(
        CoLMConfig config, int? seed = null, Device? device = null, ScalarType dtype = ScalarType.Float32)
    {
        ArgumentNullException.ThrowIfNull(config);
        if (!ChainModule.CanHoldWeights(dtype))
            throw new ArgumentException($"A model's type is Float32, BFloat16 or Float16, not {dtype}.", nameof(dtype));
        if (config.WeightFormats.Any(format => format is not null))
        {
            throw new ArgumentException($"A new model's weights are numbers, found {nameof(CoLMConfig.WeightFormats)} " +
                $"{new ItemList<WeightFormat?>(config.WeightFormats)}: quantise it once it is trained.", nameof(config));
        }
        TorchLibrary.EnsureLoaded();
        var model = new CoLMModel(config, device ?? CPU, dtype);
        try
        {
            model.Initialise(firstChain: 0, seed);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    /// <summary>Sets the initial values of the parameters of a chain and all later ones.</summary>
    private void Initialise(int firstChain, int? seed)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        using var generator = new Generator((ulong)(seed ?? Random.Shared.Next()));
        foreach (var (name, parameter) in named_parameters())
        {
            var (module, chain) = ParameterName.Parse(name);
            if (chain < firstChain)
                continue;
            if (parameter.dim() == 1)
                parameter.fill_(Scalars.One);
            else if (module == ParameterName.Head && chain > 0 && firstChain > 0)
                parameter.zero_();
            else
                FillNormal(parameter, generator);
        }
    }

    // Drawn on the CPU in float32, so that one seed gives the same weights on every device.
    internal static void FillNormal(Tensor parameter, Generator generator)
    {
        using var scope = NewDisposeScope();
        using var deviation = InitialDeviation.ToScalar();
        parameter.copy_(randn(parameter.shape, dtype: float32, generator: generator).mul_(deviation));
    }
}
