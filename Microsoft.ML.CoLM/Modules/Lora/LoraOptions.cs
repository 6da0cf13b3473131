using Microsoft.ML.CoLM.Modules;
using Microsoft.ML.CoLM.Text;

namespace Microsoft.ML.CoLM;

/// <summary>
/// Low-rank adapters (LoRA, Hu et al. 2021): instead of a matrix W_i, two narrow ones are trained, and alpha / rank · B_i · A_i
/// is added to it. A_i is [rank, inputs] and B_i is [outputs, rank].
/// </summary>
/// <remarks>Chain i's adapter reads chains 1 to i, as its weight does (arXiv 2505.11820, section 4.4).</remarks>
public sealed class LoraOptions
{
    /// <summary>
    /// The rank: rows of A and columns of B; at most the smaller dimension of every adapted matrix. Default: 8.
    /// </summary>
    public int Rank { get; set; } = 8;

    /// <summary>The adapters' output is scaled by alpha / rank. Default: 16.</summary>
    public double Alpha { get; set; } = 16;

    /// <summary>
    /// Dropout: the share of the adapters' inputs set to zero in training, with the others scaled up to compensate. Default: 0.
    /// </summary>
    public double Dropout { get; set; }

    /// <summary>Which matrices get adapters. Default: <see cref="LoraProjections.All"/>.</summary>
    public LoraProjections Projections { get; set; } = LoraProjections.All;

    /// <summary>
    /// Whether the adapters are merged into the weights when training ends: the model then runs as fast as without them, and
    /// has its own weights in the tuned chains. Otherwise they stay separate, and the weights are shared with the model that
    /// was tuned. Default: false.
    /// </summary>
    public bool MergeIntoWeights { get; set; }

    /// <summary>A copy that later changes to these options do not affect.</summary>
    internal LoraOptions Copy() => (LoraOptions)MemberwiseClone();

    internal bool Covers(Projection projection) => Projections.HasFlag(projection switch
    {
        Projection.Query => LoraProjections.Query,
        Projection.Key => LoraProjections.Key,
        Projection.Value => LoraProjections.Value,
        Projection.Output => LoraProjections.Output,
        Projection.Gate => LoraProjections.Gate,
        Projection.Up => LoraProjections.Up,
        _ => LoraProjections.Down,
    });

    internal void Check()
    {
        if (Rank < 1)
            throw OptionCheck.Wrong($"Lora.{nameof(Rank)}", "at least 1", Rank);
        if (!(Alpha > 0 && double.IsFinite(Alpha)))
            throw OptionCheck.Wrong($"Lora.{nameof(Alpha)}", "a number above 0", Alpha);
        if (!(Dropout is >= 0 and < 1))
            throw OptionCheck.Wrong($"Lora.{nameof(Dropout)}", "at least 0 and below 1", Dropout);
        if (Projections == LoraProjections.None || (Projections & ~LoraProjections.All) != 0)
            throw OptionCheck.Wrong($"Lora.{nameof(Projections)}", $"some of {LoraProjections.All}", Projections);
    }

    /// <summary>Rejects a model that has no place for such adapters in its chains from a given one on.</summary>
    /// <exception cref="ArgumentException">A matrix is too small, or there is none.</exception>
    internal void CheckFits(CoLMModel model, int firstChain)
    {
        var isAny = false;
        foreach (var projection in Enum.GetValues<Projection>().Where(Covers))
        {
            var linear = model.Layers[0].Linear(projection);
            for (var chain = firstChain; chain < linear.ChainCount; chain++)
            {
                isAny = true;
                var matrix = linear.Matrix(chain);
                long[] shape = [matrix.Outputs, matrix.Width];
                if (Rank > shape.Min())
                {
                    throw OptionCheck.Wrong($"Lora.{nameof(Rank)}", $"at most {shape.Min()}, the smaller side of the {projection} projection " +
                        $"of chain {chain + 1} ([{string.Join(", ", shape)}])", Rank);
                }
            }
        }
        if (!isAny)
        {
            throw OptionCheck.Wrong($"Lora.{nameof(Projections)}", $"some that the tuned chains have a matrix for: chains that share the first " +
                "one's keys and values have none for Key and Value", Projections);
        }
    }
}
