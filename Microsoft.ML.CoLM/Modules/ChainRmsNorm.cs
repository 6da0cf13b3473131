using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>RMSNorm of each chain by its own mean square, so that no later chain changes an earlier one.</summary>
internal sealed class ChainRmsNorm : ChainModule
{
    private readonly double _epsilon;

    public ChainRmsNorm(CoLMConfig config, Device device, ScalarType dtype) : base(
        nameof(ChainRmsNorm), Enumerable.Range(0, config.ChainCount).Select(chain => new long[] { config.Hidden(chain) }),
        device, dtype) => _epsilon = config.RmsNormEpsilon;

    /// <param name="x">[rows, D], the features of the range's chains.</param>
    /// <param name="chains">The chains to compute.</param>
    /// <returns>[rows, D].</returns>
    public Tensor forward(Tensor x, ChainRange chains) => ChainRmsNormFunction.Apply(x, _epsilon, Weights(chains));
}
