using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Checkpoints;

/// <summary>Looks for NaN and infinity among the weights of a model that was not read from a file.</summary>
internal static class FiniteWeights
{
    /// <summary>Reads all weights once, where they are; no copy is made.</summary>
    /// <exception cref="ArgumentException">A weight is NaN or infinite; the message names the parameter.</exception>
    public static void Check(CoLMModel model)
    {
        using var noGradients = no_grad();
        foreach (var (name, parameter) in model.named_parameters())
        {
            var (least, most) = parameter.aminmax();
            using (least)
            using (most)
            {
                // NaN is the least and the most of whatever it is among.
                if (!double.IsFinite(least.ToDouble()) || !double.IsFinite(most.ToDouble()))
                    throw new ArgumentException($"The model's weight '{name}' has elements that are NaN or infinite.");
            }
        }
    }
}
