using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM;

public sealed partial class CoLMModel
{
    /// <summary>
    /// As <see cref="Quantize(WeightFormat?[])"/>, with the layers' matrices rounded so that their outputs change least for given
    /// tokens: <see cref="Kernels.ErrorFeedback"/>. Embeddings, and a head that is one, are rounded as they are.
    /// </summary>
    /// <param name="formats">The format of each chain; null leaves a chain as it is.</param>
    /// <param name="tokenIds">[batch, length], checked.</param>
    /// <param name="cancellationToken">Cancels before the next layer.</param>
    /// <remarks>
    /// Layer after layer, for the inputs that the quantised layers before it give. A chain reads the chains before it alone, here
    /// too: what it is quantised to does not depend on those after it.
    /// </remarks>
    internal CoLMModel QuantizeFor(IReadOnlyList<WeightFormat?> formats, Tensor tokenIds, CancellationToken cancellationToken)
    {
        using var use = Enter();
        if (Adapters is not null)
        {
            using var merged = MergeAdapters();
            return merged.QuantizeFor(formats, tokenIds, cancellationToken);
        }
        var model = Quantize([.. formats]);
        try
        {
            using var noGradients = no_grad();
            using var scope = NewDisposeScope();
            var chains = new ChainRange(0, Config.ChainCount);
            var x = model._embedding.forward(tokenIds.reshape(-1), chains, DataType);
            for (var layer = 0; layer < _layers.Length; layer++)
            {
                cancellationToken.ThrowIfCancellationRequested();
                using var layerScope = NewDisposeScope();
                using var kept = new ChainFeatures(Config.LayerCount);
                _layers[layer].forward(x, Pass(tokenIds, chains, earlier: null, kept, cache: null, lengths: null));
                Round(_layers[layer], model._layers[layer], site => kept[layer, site]);
                x = model._layers[layer].forward(x, Pass(tokenIds, chains, earlier: null, kept: null, cache: null, lengths: null))
                    .MoveToOuterDisposeScope();
            }
            RoundHeads(model, model._norm.forward(x, chains));
            return model;
        }
        catch
        {
            model.Dispose();
            throw;
        }
    }

    private static void Round(DecoderLayer source, DecoderLayer target, Func<FeatureSite, Tensor> inputs)
    {
        foreach (var projection in Enum.GetValues<Projection>())
        {
            var (from, to) = (source.Linear(projection), target.Linear(projection));
            for (var chain = 0; chain < from.ChainCount; chain++)
            {
                if (!from.HasNumbers(chain) || to.Packed(chain) is not { } packed)
                    continue;
                // Of what the chain reads alone: sums of a wider product might round otherwise.
                using var scope = NewDisposeScope();
                packed.PackFor(from.Weight(chain), Squares(inputs(SiteOf(projection)).narrow(1, 0, from.Weight(chain).size(1))));
            }
        }
    }

    private void RoundHeads(CoLMModel model, Tensor features)
    {
        for (var (chain, start) = (0, 0L); chain < _head.ChainCount; start += Config.Hidden(chain), chain++)
        {
            if (_head.HasNumbers(chain) && model._head.Packed(chain) is { } packed)
                packed.PackFor(_head.Weight(chain), Squares(features.narrow(1, start, Config.Hidden(chain))));
        }
    }

    private static Tensor Squares(Tensor inputs)
    {
        var wide = inputs.to(ScalarType.Float32).contiguous();
        return wide.t().mm(wide);
    }

    private static FeatureSite SiteOf(Projection projection) => projection switch
    {
        Projection.Query or Projection.Key or Projection.Value => FeatureSite.AttentionInput,
        Projection.Output => FeatureSite.AttentionOutput,
        Projection.Gate or Projection.Up => FeatureSite.FeedForwardInput,
        _ => FeatureSite.FeedForwardHidden,
    };
}
