using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMModel
{
    /// <summary>
    /// Whether generation on the CPU rounds activations to 8 bits, 32 neighbours at a time, where it multiplies them with quantised
    /// weights. Default: true, which is several times as fast, as in llama.cpp; prompts, scores and features are computed with
    /// activations that are not rounded, and so is generation with false. Not stored with the model.
    /// </summary>
    public bool RoundsActivations { get; set; } = true;

    /// <summary>Creates a model whose chains are all quantised.</summary>
    /// <param name="format">How every chain's matrices are stored.</param>
    /// <inheritdoc cref="Quantize(WeightFormat?[])"/>
    public CoLMModel Quantize(WeightFormat format)
    {
        using var use = Enter();
        return Quantize([.. Enumerable.Repeat((WeightFormat?)format, Config.ChainCount)]);
    }

    /// <summary>Creates a model in which each chain's matrices are stored in a format of its own.</summary>
    /// <param name="formats">
    /// The format of each chain, the first chain's first; null leaves a chain as it is, quantised before or not.
    /// </param>
    /// <returns>
    /// An independent model on the same device, which the caller disposes, with the same tokenizer and task. Quantised chains
    /// cannot be trained, except by adapters (<see cref="LoraOptions"/>).
    /// </returns>
    /// <remarks>
    /// All matrices of a chain are quantised, the embedding and the head included: 32 neighbouring inputs of an output share a
    /// scale; a width that is not a multiple of 32 is filled up. Norms, features and caches keep the model's
    /// <see cref="DataType"/>. Each chain is quantised by itself, so what the first chains compute does not depend on the chains
    /// after them. Adapters are merged first.
    /// </remarks>
    /// <exception cref="ArgumentException">
    /// There is not one format for each chain, a format is not a defined value, a chain to quantise is quantised already, or a
    /// weight is NaN or infinite.
    /// </exception>
    /// <exception cref="InsufficientMemoryException">A weight does not fit in memory; the message has its shape.</exception>
    /// <exception cref="ObjectDisposedException">The model was disposed.</exception>
    public CoLMModel Quantize(params WeightFormat?[] formats)
    {
        using var use = Enter();
        ArgumentNullException.ThrowIfNull(formats);
        if (Adapters is not null)
        {
            using var merged = MergeAdapters();
            return merged.Quantize(formats);
        }
        var config = Config with { WeightFormats = Config.Quantized(formats, nameof(formats)) };
        var model = new CoLMModel(config, Device, DataType) { Companions = Companions, RoundsActivations = RoundsActivations };
        try
        {
            using var noGradients = no_grad();
            var sources = ChainParameters().ToDictionary(entry => entry.name, entry => entry.parameter);
            foreach (var (name, parameter) in model.ChainParameters())
            {
                if (!sources.TryGetValue(name, out var source))
                    continue;
                parameter.copy_(source);
                parameter.requires_grad = source.requires_grad;
            }
            foreach (var ((path, module), (_, quantized)) in ChainModules().Zip(model.ChainModules()))
            {
                for (var chain = 0; chain < module.ChainCount; chain++)
                {
                    if (module.HasNumbers(chain) && quantized.Packed(chain) is { } packed)
                        packed.Pack(module.Weight(chain), 0, $"{path}.{ParameterName.OfChain(chain)}");
                }
            }
            model.Task = Task?.CopyFor(model);
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }
}
