using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

[TestClass, DoNotParallelize]
public sealed class RotaryFunctionTests
{
    private const double Float64Rounding = 1e-14;

    [TestMethod]
    [DataRow(new long[] { 5, 6 })]
    [DataRow(new long[] { 3, 5, 6 })]
    [DataRow(new long[] { 2, 3, 4, 1, 2 })]
    [DataRow(new long[] { 2, 3, 4, 17, 32 })]
    [DataRow(new long[] { 2, 3, 40, 8 })]
    public void ValueAndGradientsAreThoseOfTheFormula(long[] shape)
    {
        using var scope = NewDisposeScope();
        var (cosine, sine) = Angles(shape[^2], shape[^1] / 2);
        GradientAssert.Same(
            inputs => RotaryFunction.Apply(inputs[0], cosine, sine),
            inputs => Formula(inputs[0], cosine, sine),
            [GradientAssert.Random(shape)], Float64Rounding);
    }

    [TestMethod]
    public void AnyMemoryOrderIsTurnedAndTheResultIsContiguous()
    {
        using var scope = NewDisposeScope();
        var (cosine, sine) = Angles(5, 3);
        var x = GradientAssert.Random([2, 5, 4, 6]);
        Assert.IsTrue(RotaryFunction.Apply(x.permute(0, 2, 1, 3), cosine, sine).is_contiguous());
        GradientAssert.Same(
            inputs => RotaryFunction.Apply(inputs[0].permute(0, 2, 1, 3), cosine, sine),
            inputs => Formula(inputs[0].permute(0, 2, 1, 3), cosine, sine),
            [x], Float64Rounding);
    }

    [TestMethod]
    public void AHeadIsTurnedTheSameToTheBitWhateverStandsBesideIt()
    {
        using var noGradients = no_grad();
        foreach (var width in new[] { 2, 6, 8, 24, 64 })
        {
            foreach (var length in new[] { 1, 2, 7, 16, 33, 100 })
            {
                using var scope = NewDisposeScope();
                var (cosine, sine) = Angles(length, width / 2);
                (cosine, sine) = (cosine.to(float32), sine.to(float32));
                // As the queries of several heads lie in memory: [batch, length, heads, d].
                var x = GradientAssert.Random([2, length, 5, width], dtype: float32);
                var beside = RotaryFunction.Apply(x.permute(0, 2, 1, 3), cosine, sine);
                var alone = RotaryFunction.Apply(x.narrow(2, 0, 2).contiguous().permute(0, 2, 1, 3), cosine, sine);
                TensorAssert.SameBits(alone, beside.narrow(1, 0, 2), $"{length} x {width}");
            }
        }
    }

    [TestMethod]
    [DataRow(ScalarType.Float32)]
    [DataRow(ScalarType.BFloat16)]
    public void APositionIsTurnedTheSameToTheBitHoweverManyThereAre(ScalarType dtype)
    {
        using var noGradients = no_grad();
        foreach (var width in new[] { 2, 8, 16, 24 })
        {
            using var scope = NewDisposeScope();
            const int Length = 100;
            var (cosine, sine) = Angles(Length, width / 2);
            (cosine, sine) = (cosine.to(dtype), sine.to(dtype));
            var x = GradientAssert.Random([2, 3, Length, width], dtype: float32).to(dtype);
            var whole = RotaryFunction.Apply(x, cosine, sine);
            foreach (var (start, count) in ((int, int)[])[(0, 1), (7, 5), (31, 31), (99, 1)])
            {
                var part = RotaryFunction.Apply(
                    x.narrow(2, start, count), cosine.narrow(0, start, count), sine.narrow(0, start, count));
                TensorAssert.SameBits(part, whole.narrow(2, start, count), $"{count} of {width} from {start} on");
            }
        }
    }

    [TestMethod]
    public void TheFirstPositionIsNotTurnedAndNoVectorChangesItsLength()
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var (cosine, sine) = Angles(40, 4);
        var x = GradientAssert.Random([3, 40, 8]);
        var turned = RotaryFunction.Apply(x, cosine, sine);
        TensorAssert.SameBits(x.narrow(1, 0, 1), turned.narrow(1, 0, 1));
        TensorAssert.RelativelyNear(x.square().sum(2), turned.square().sum(2), Float64Rounding);
    }

    [TestMethod]
    public void AProductOfTwoTurnedVectorsDependsOnTheirDistanceAlone()
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var (cosine, sine) = Angles(40, 4);
        var query = RotaryFunction.Apply(GradientAssert.Random([1, 8], seed: 1).expand(40, 8), cosine, sine);
        var key = RotaryFunction.Apply(GradientAssert.Random([1, 8], seed: 2).expand(40, 8), cosine, sine);
        var products = query.mm(key.t());
        for (var distance = -39; distance < 40; distance++)
        {
            var diagonal = products.diagonal(distance);
            TensorAssert.Near(diagonal[0].expand(diagonal.shape), diagonal, 1e-12, $"distance {distance}");
        }
    }

    private static (Tensor Cosine, Tensor Sine) Angles(long length, long pairs)
    {
        var angles = outer(arange(length, dtype: float64), pow(10.0, arange(pairs, dtype: float64) / -pairs));
        return (angles.cos(), angles.sin());
    }

    private static Tensor Formula(Tensor x, Tensor cosine, Tensor sine)
    {
        var half = x.size(-1) / 2;
        var turned = cat([-x.narrow(-1, half, half), x.narrow(-1, 0, half)], dim: -1);
        return x * cat([cosine, cosine], dim: -1) + turned * cat([sine, sine], dim: -1);
    }
}
