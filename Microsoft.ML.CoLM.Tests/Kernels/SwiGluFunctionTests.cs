using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

[TestClass, DoNotParallelize]
public sealed class SwiGluFunctionTests
{
    private const double Float64Rounding = 1e-14;

    [TestMethod]
    [DataRow(1, new long[] { 8 })]
    [DataRow(1, new long[] { 8, 4 })]
    [DataRow(7, new long[] { 8, 4, 20 })]
    [DataRow(40, new long[] { 172, 43, 3 })]
    public void ValueAndGradientsAreThoseOfTheFormula(long rows, long[] widths)
    {
        using var scope = NewDisposeScope();
        GradientAssert.Same(
            inputs => SwiGluFunction.Apply(inputs[0], inputs[1], widths), Formula, Inputs(rows, widths),
            Float64Rounding);
    }

    [TestMethod]
    [DataRow(1, new long[] { 3 })]
    [DataRow(7, new long[] { 8, 4, 20 })]
    [DataRow(41, new long[] { 501, 3 })]
    public void InFloat32TheyAreThoseOfTheFormulaToo(long rows, long[] widths)
    {
        using var scope = NewDisposeScope();
        var inputs = Array.ConvertAll(Inputs(rows, widths), input => input.detach().to(float32).requires_grad_(true));
        // A few units in the last place (1.2e-7).
        GradientAssert.Same(given => SwiGluFunction.Apply(given[0], given[1], widths), Formula, inputs, 1e-6);
    }

    [TestMethod]
    [DataRow(true, false)]
    [DataRow(false, true)]
    public void WhatIsFrozenGetsNoGradientAndTheOtherGetsItsOwn(bool gateNeedsGradient, bool upNeedsGradient)
    {
        using var scope = NewDisposeScope();
        long[] widths = [8, 4];
        var inputs = Inputs(7, widths);
        inputs[0].requires_grad_(gateNeedsGradient);
        inputs[1].requires_grad_(upNeedsGradient);
        GradientAssert.Same(
            given => SwiGluFunction.Apply(given[0], given[1], widths), Formula, inputs, Float64Rounding);
    }

    [TestMethod]
    public void BFloat16IsComputedAsTheFormulaIs()
    {
        using var scope = NewDisposeScope();
        long[] widths = [8, 4];
        var inputs = Array.ConvertAll(Inputs(7, widths), input => input.detach().to(bfloat16).requires_grad_(true));
        // At most four roundings to eight bits on the way to a gradient: 4 · 2^-8 of an element.
        GradientAssert.Same(given => SwiGluFunction.Apply(given[0], given[1], widths), Formula, inputs, 0.016);
    }

    [TestMethod]
    public void GatesFarFromZeroAreOpenOrShutAndTheirGradientsFinite()
    {
        using var scope = NewDisposeScope();
        var gate = tensor(new[] { -1e4f, -200, 0, 200, 1e4f }, requires_grad: true).view(1, 5);
        gate.retain_grad();
        var up = ones([1, 5], requires_grad: true);
        var y = SwiGluFunction.Apply(gate, up, [5]);
        TensorAssert.SameBits(tensor(new[] { 0f, 0, 0, 200, 1e4f }).view(1, 5), y.abs());
        y.sum().backward();
        TensorAssert.SameBits(tensor(new[] { 0f, 0, 0.5f, 1, 1 }).view(1, 5), gate.grad!.abs());
        Assert.IsTrue(up.grad!.isfinite().all().item<bool>());
    }

    [TestMethod]
    [DataRow(ScalarType.Float32)]
    [DataRow(ScalarType.BFloat16)]
    public void AChainsFeaturesAreTheSameToTheBitWhateverStandsBesideThem(ScalarType dtype)
    {
        using var noGradients = no_grad();
        foreach (var width in new[] { 4L, 6, 16, 43, 100, 172 })
        {
            for (var rows = 1; rows <= 40; rows++)
            {
                using var scope = NewDisposeScope();
                var gate = GradientAssert.Random([rows, 3 * width], seed: 1, dtype: dtype);
                var up = GradientAssert.Random([rows, 3 * width], seed: 2, dtype: dtype);
                var beside = SwiGluFunction.Apply(gate, up, [width, width, width]);
                for (var chains = 1; chains < 3; chains++)
                {
                    var alone = SwiGluFunction.Apply(
                        gate.narrow(1, 0, chains * width).contiguous(), up.narrow(1, 0, chains * width).contiguous(),
                        [.. Enumerable.Repeat(width, chains)]);
                    TensorAssert.SameBits(alone, beside.narrow(1, 0, chains * width),
                        $"{chains} chains {width} wide, {rows} rows");
                }
            }
        }
    }

    private static Tensor[] Inputs(long rows, long[] widths) =>
    [
        GradientAssert.Random([rows, widths.Sum()], seed: 1),
        GradientAssert.Random([rows, widths.Sum()], seed: 2),
    ];

    private static Tensor Formula(Tensor[] inputs) => inputs[0] / (1 + (-inputs[0]).exp()) * inputs[1];
}
