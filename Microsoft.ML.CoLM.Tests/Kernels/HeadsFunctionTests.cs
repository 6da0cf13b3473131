using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary><see cref="SplitHeadsFunction"/> and <see cref="JoinHeadsFunction"/>.</summary>
[TestClass, DoNotParallelize]
public sealed class HeadsFunctionTests
{
    private const double Float32Rounding = 1e-6;
    private const int Batch = 3;

    [TestMethod]
    [DataRow(1, 2)]
    [DataRow(5, 6)]
    [DataRow(17, 16)]
    [DataRow(40, 64)]
    public void HeadsAreThoseOfTheFormulaAndSoAreTheirGradients(int length, int width)
    {
        using var scope = NewDisposeScope();
        var (cosine, sine) = Angles(length, width / 2);
        var features = GradientAssert.Random([Batch * length, 6 * width], dtype: float32);
        foreach (var places in new[] { InOrder(width), OfTwoChains(width) })
        {
            GradientAssert.Same(
                inputs => SplitHeadsFunction.Apply(inputs[0], places, length, cosine, sine),
                inputs => Rotated(Split(inputs[0], places, length), cosine.to(float64), sine.to(float64)),
                [features], Float32Rounding);
            GradientAssert.Same(
                inputs => SplitHeadsFunction.Apply(inputs[0], places, length), inputs => Split(inputs[0], places, length),
                [features], Float32Rounding);
        }
    }

    [TestMethod]
    public void JoinedHeadsAreWhatWasSplitAndSoAreTheirGradients()
    {
        using var scope = NewDisposeScope();
        foreach (var places in new[] { InOrder(8), OfTwoChains(8) })
        {
            var features = GradientAssert.Random([Batch * 5, 48], dtype: float32);
            GradientAssert.Same(
                inputs => JoinHeadsFunction.Apply(Split(inputs[0], places, 5), places), inputs => inputs[0] * 1, [features], Float32Rounding);
            // As libtorch's attention gives them: tokens before heads in memory.
            GradientAssert.Same(
                inputs => JoinHeadsFunction.Apply(
                    Split(inputs[0], places, 5).transpose(1, 2).contiguous().transpose(1, 2), places),
                inputs => inputs[0] * 1, [features], Float32Rounding);
        }
    }

    [TestMethod]
    [DataRow(ScalarType.Float32)]
    [DataRow(ScalarType.BFloat16)]
    public void ARotationHasTheBitsOfLibtorchsOperations(ScalarType type)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        foreach (var width in new[] { 2, 6, 8, 24, 32, 64 })
        {
            var (cosine, sine) = Angles(33, width / 2);
            (cosine, sine) = (cosine.to(type), sine.to(type));
            var places = OfTwoChains(width);
            var features = GradientAssert.Random([Batch * 33, 6 * width], dtype: type);
            TensorAssert.SameBits(RotaryFunction.Apply(Split(features, places, 33), cosine, sine),
                SplitHeadsFunction.Apply(features, places, 33, cosine, sine), $"{width}");
        }
    }

    // Two key-value heads with three queries each.
    private static HeadPlaces InOrder(int width) => new(2, 3, width, [.. Enumerable.Range(0, 6).Select(head => head * width)]);

    // Of four heads and two: each key-value head has two queries of the first chain, and one of the second.
    private static HeadPlaces OfTwoChains(int width) =>
        new(2, 3, width, [.. new[] { 0, 1, 4, 2, 3, 5 }.Select(head => head * width)]);

    private static Tensor Split(Tensor features, HeadPlaces places, int length) =>
        stack([.. places.Columns.Select(column => features.narrow(1, column, places.Width))])       // [heads, batch · length, d]
            .view(places.Groups, places.Queries, Batch, length, places.Width).permute(2, 0, 1, 3, 4)
            .reshape(Batch * places.Groups, places.Queries, length, places.Width);

    private static Tensor Rotated(Tensor x, Tensor cosine, Tensor sine)
    {
        var half = x.size(-1) / 2;
        var (first, second) = (x.narrow(-1, 0, half), x.narrow(-1, half, half));
        return cat([first * cosine - second * sine, second * cosine + first * sine], dim: -1);
    }

    private static (Tensor Cosine, Tensor Sine) Angles(int length, int half)
    {
        var angles = GradientAssert.Random([length, half], needsGradient: false, dtype: float32);
        return (angles.cos(), angles.sin());
    }
}
