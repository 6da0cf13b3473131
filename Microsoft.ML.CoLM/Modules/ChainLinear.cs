using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Modules;

/// <summary>
/// Chain-of-Linear, y_i = W_i · x_≤i with W_i ∈ R^{Y_i × X_≤i}, stored without the zero blocks.
/// </summary>
internal sealed class ChainLinear : ChainModule
{
    /// <param name="inputWidths">X_i of each chain.</param>
    /// <param name="outputWidths">Y_i of each chain; as many as there are chains with a weight.</param>
    /// <param name="device">Where the weights live.</param>
    /// <param name="dtype">Their type.</param>
    /// <param name="formats">How each chain's is packed, null for one that is not; null where no chain's is.</param>
    public ChainLinear(
        IEnumerable<int> inputWidths, IEnumerable<int> outputWidths, Device device, ScalarType dtype,
        IReadOnlyList<WeightFormat?>? formats = null)
        : base(nameof(ChainLinear), Shapes(inputWidths, outputWidths), device, dtype, formats: formats)
    {
    }

    /// <param name="x">[rows, X], the inputs of the range's chains.</param>
    /// <param name="chains">The chains to compute.</param>
    /// <param name="earlier">[rows, E], the inputs of the chains before them; null when the range is the first.</param>
    /// <returns>[rows, Y], the outputs of the range's chains.</returns>
    public Tensor forward(Tensor x, ChainRange chains, Tensor? earlier) =>
        ChainLinearFunction.Apply(x, earlier, Matrices(chains));

    private static IEnumerable<long[]> Shapes(IEnumerable<int> inputWidths, IEnumerable<int> outputWidths)
    {
        long read = 0;
        foreach (var (input, output) in inputWidths.Zip(outputWidths))
            yield return [output, read += input];
    }
}
