using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests;

/// <summary>Comparisons of tensors.</summary>
internal static class TensorAssert
{
    /// <summary>Equal in shape, type and every bit.</summary>
    public static void SameBits(Tensor expected, Tensor actual, string what = "")
    {
        Assert.AreEqual(expected.dtype, actual.dtype, what);
        CollectionAssert.AreEqual(expected.shape, actual.shape, what);
        if (!HaveSameBits(expected, actual))
            Assert.Fail($"{what}: not the same bits; the largest difference is {MaxDifference(expected, actual):g4}.");
    }

    public static bool HaveSameBits(Tensor a, Tensor b)
    {
        using var scope = NewDisposeScope();
        return Bytes(a).SequenceEqual(Bytes(b));
    }

    /// <summary>Equal in shape, without a NaN, and at no element further apart than the tolerance.</summary>
    public static void Near(Tensor expected, Tensor actual, double tolerance, string what = "")
    {
        CollectionAssert.AreEqual(expected.shape, actual.shape, what);
        AtMost(tolerance, MaxDifference(expected, actual), $"{what}, largest difference");
    }

    /// <summary>As <see cref="Near"/>, with a tolerance in units of the largest expected element.</summary>
    public static void RelativelyNear(Tensor expected, Tensor actual, double tolerance, string what = "")
    {
        using var scope = NewDisposeScope();
        var largest = expected.to(float64).abs().max().item<double>();
        Near(expected, actual, tolerance * largest, $"{what} (largest element {largest:g4})");
    }

    /// <summary>A number is at most another; MSTest's own comparison takes NaN for less than all others.</summary>
    public static void AtMost(double limit, double number, string what = "") =>
        Assert.IsTrue(number <= limit, $"{what}: {number:g4} is more than {limit:g4}.");

    /// <summary>The largest absolute difference, taken in float64; NaN where either has one.</summary>
    public static double MaxDifference(Tensor a, Tensor b)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        return (a.to(float64) - b.to(float64)).abs().max().item<double>();
    }

    private static Span<byte> Bytes(Tensor tensor) => tensor.detach().cpu().contiguous().bytes;
}
