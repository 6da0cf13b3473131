using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

[TestClass, DoNotParallelize]
public sealed class ChainRmsNormFunctionTests
{
    // The kernel computes in float32 whatever it is given: a few units in the last place (1.2e-7).
    private const double Float32Rounding = 1e-6;
    private const double Epsilon = 1e-5;

    [TestMethod]
    [DataRow(1, new long[] { 8 })]
    [DataRow(1, new long[] { 8, 4 })]
    [DataRow(7, new long[] { 8, 4, 20 })]
    [DataRow(40, new long[] { 64, 16, 64, 3 })]
    [DataRow(100, new long[] { 700, 41 })]
    public void ValueAndGradientsAreThoseOfTheFormula(long rows, long[] widths)
    {
        using var scope = NewDisposeScope();
        GradientAssert.Same(Apply, Formula, Inputs(rows, widths), Float32Rounding);
        // In a type that the kernel does not read, libtorch's operations are used.
        GradientAssert.Same(Apply, Formula,
            Array.ConvertAll(Inputs(rows, widths), input => input.detach().to(float64).requires_grad_(true)), Float32Rounding);
    }

    [TestMethod]
    [DataRow("x")]
    [DataRow("1")]
    [DataRow("02")]
    [DataRow("x1")]
    public void WhatIsFrozenGetsNoGradientAndTheRestGetsItsOwn(string needed)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(7, [8, 4, 20]);
        inputs[0].requires_grad_(needed.Contains('x'));
        for (var chain = 0; chain < 3; chain++)
            inputs[1 + chain].requires_grad_(needed.Contains((char)('0' + chain)));
        GradientAssert.Same(Apply, Formula, inputs, Float32Rounding);
    }

    [TestMethod]
    public void BFloat16IsNormalisedInFloat32AndRounded()
    {
        using var scope = NewDisposeScope();
        var inputs = Array.ConvertAll(Inputs(40, [64, 16]), input => input.detach().to(bfloat16).requires_grad_(true));
        // Three roundings to eight bits: 3 · 2^-8 of an element.
        GradientAssert.Same(Apply, Formula, inputs, 0.012);
    }

    [TestMethod]
    public void AChainIsNormalisedByItsOwnMeanSquareAlone()
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var inputs = Inputs(7, [8, 4]);
        var expected = Apply(inputs);
        inputs[0].narrow(1, 8, 4).mul_(1000);
        var changed = Apply(inputs);
        TensorAssert.SameBits(expected.narrow(1, 0, 8), changed.narrow(1, 0, 8));
        TensorAssert.RelativelyNear(expected.narrow(1, 8, 4), changed.narrow(1, 8, 4), 1e-4);
    }

    [TestMethod]
    public void ZerosStayZerosAndTheirGradientsAreFinite()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(3, [8, 4]);
        using (no_grad())
            inputs[0].zero_();
        var y = Apply(inputs);
        Assert.IsTrue(y.eq(0).all().item<bool>());
        y.sum().backward();
        Assert.IsTrue(Array.TrueForAll(inputs, input => input.grad!.isfinite().all().item<bool>()));
    }

    private static Tensor[] Inputs(long rows, long[] widths) =>
    [
        GradientAssert.Random([rows, widths.Sum()], dtype: ScalarType.Float32),
        .. widths.Select(width => GradientAssert.Random([width], dtype: ScalarType.Float32)),
    ];

    private static Tensor Apply(Tensor[] inputs) => ChainRmsNormFunction.Apply(inputs[0], Epsilon, inputs[1..]);

    private static Tensor Formula(Tensor[] inputs)
    {
        long start = 0;
        List<Tensor> chains = [];
        foreach (var weight in inputs[1..])
        {
            var own = inputs[0].narrow(1, start, weight.size(0));
            chains.Add(own / (own.pow(2).mean([1], keepdim: true) + Epsilon).sqrt() * weight);
            start += weight.size(0);
        }
        return cat(chains, dim: 1);
    }
}
