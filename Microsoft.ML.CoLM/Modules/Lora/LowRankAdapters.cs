using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>The adapters of a model's projections, on the chains from one on.</summary>
internal sealed class LowRankAdapters : nn.Module
{
    private readonly LowRankAdapter?[,] _adapters;

    /// <summary>Adapters whose parameters have no values yet.</summary>
    /// <param name="model">The model they are for.</param>
    /// <param name="firstChain">The first chain with adapters.</param>
    /// <param name="lora">Rank, alpha, dropout, and which projections.</param>
    public LowRankAdapters(CoLMModel model, int firstChain, LoraOptions lora) : base(nameof(LowRankAdapters))
    {
        (FirstChain, Lora) = (firstChain, lora);
        _adapters = new LowRankAdapter?[model.Layers.Count, Enum.GetValues<Projection>().Length];
        for (var layer = 0; layer < model.Layers.Count; layer++)
        {
            foreach (var projection in Enum.GetValues<Projection>())
            {
                var linear = model.Layers[layer].Linear(projection);
                if (!lora.Covers(projection) || firstChain >= linear.ChainCount)
                    continue;
                var adapter = new LowRankAdapter(linear, firstChain, lora, model.Device);
                _adapters[layer, (int)projection] = adapter;
                register_module($"layers_{layer}_{projection}", adapter);
            }
        }
        eval();
    }

    /// <summary>The first chain with adapters.</summary>
    public int FirstChain { get; }

    public LoraOptions Lora { get; }

    /// <summary>The adapter of a projection, or null where it has none.</summary>
    public LowRankAdapter? Find(int layer, Projection projection) => _adapters[layer, (int)projection];

    /// <summary>The values that they begin with, which add nothing to the model.</summary>
    public void Initialise(int seed)
    {
        using var noGradients = no_grad();
        using var generator = new Generator((ulong)seed);
        foreach (var adapter in _adapters)
            adapter?.Initialise(generator);
    }

    /// <summary>Adds them to the weights of a model like the one they were made for.</summary>
    public void AddTo(CoLMModel model)
    {
        using var noGradients = no_grad();
        for (var layer = 0; layer < model.Layers.Count; layer++)
        {
            foreach (var projection in Enum.GetValues<Projection>())
                Find(layer, projection)?.AddTo(model.Layers[layer].Linear(projection));
        }
    }
}
