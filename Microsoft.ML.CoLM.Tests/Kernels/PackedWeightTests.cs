using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary>Packed weights, and products of few rows with them.</summary>
[TestClass, DoNotParallelize]
public sealed unsafe class PackedWeightTests
{
    // Whole groups and parts of one, fewer than eight of them, eight, and more.
    public static IEnumerable<object[]> Shapes { get; } =
        from format in Enum.GetValues<WeightFormat>()
        from width in new[] { 5, 32, 80, 172, 256, 300, 768 }
        select new object[] { format, width };

    [TestMethod]
    [DynamicData(nameof(Shapes))]
    public void WeightsAreNearWhatWasPacked(WeightFormat format, int width)
    {
        using var scope = NewDisposeScope();
        using var parameters = Packed(format, outputs: 9, width, out var weights);
        var widened = parameters.View().Widened(float32);
        // Of the largest of 32, half a step of 254, or of the widest of the code book, and the scale's own rounding.
        var largest = weights.abs().max().item<float>();
        TensorAssert.Near(weights, widened, largest * (format == WeightFormat.Int8 ? 0.51 / 127 : 0.15), $"{format} {width}");
        var error = (widened - weights).pow(2).mean().sqrt().item<float>() / weights.pow(2).mean().sqrt().item<float>();
        TensorAssert.AtMost(format == WeightFormat.Int8 ? 0.007 : 0.085, error, $"{format} {width}, error");
    }

    [TestMethod]
    [DynamicData(nameof(Shapes))]
    public void EveryWayToWidenGivesTheSameBits(WeightFormat format, int width)
    {
        using var scope = NewDisposeScope();
        using var parameters = Packed(format, outputs: 9, width, out _);
        var view = parameters.View();
        var widened = view.Widened(float32);
        TensorAssert.SameBits(widened, view.WidenedByTorch(view.Codes, view.Scales, float32), "by libtorch");
        TensorAssert.SameBits(widened.to(bfloat16), view.Widened(bfloat16), "bfloat16");
        TensorAssert.SameBits(widened.to(float16), view.Widened(float16), "float16");
        TensorAssert.SameBits(widened.narrow(0, 3, 4), view.Widened(float32, 3, 4), "some outputs");
        TensorAssert.SameBits(widened[7].unsqueeze(0), view.Rows(tensor(new long[] { 7 }), float32), "an output");
        var part = empty(width);
        for (var first = 0; first < width; first += 7)
        {
            var count = Math.Min(70, width - first);
            view.Widen(4, first, count, (float*)TensorMemory.Address(part));
            TensorAssert.SameBits(widened[4].narrow(0, first, count), part.narrow(0, 0, count), $"inputs from {first}");
        }
    }

    [TestMethod]
    [DynamicData(nameof(Shapes))]
    public void WhatIsPackedAgainStaysWhatItIs(WeightFormat format, int width)
    {
        using var scope = NewDisposeScope();
        using var parameters = Packed(format, outputs: 9, width, out _);
        var once = parameters.View().Widened(float32);
        var view = parameters.View();
        for (var output = 0; output < 9; output++)
            view.PackByScales(output, once[output].data<float>().ToArray());
        TensorAssert.SameBits(once, parameters.View().Widened(float32));
    }

    [TestMethod]
    [DataRow(WeightFormat.Int8)]
    [DataRow(WeightFormat.Int4)]
    public void ZerosStayZeros(WeightFormat format)
    {
        using var scope = NewDisposeScope();
        using var parameters = new PackedParameters(2, 70, format, CPU);
        parameters.Pack(zeros(2, 70), 0, "zeros");
        TensorAssert.SameBits(zeros(2, 70), parameters.View().Widened(float32));
        Assert.IsFalse(parameters.View().Scales.eq(0).any().ToBoolean());
    }

    [TestMethod]
    [DataRow(WeightFormat.Int8, 1e-38f)]
    [DataRow(WeightFormat.Int8, 3e38f)]
    [DataRow(WeightFormat.Int4, 1e-38f)]
    [DataRow(WeightFormat.Int4, 3e38f)]
    public void WeightsOfAnySizeStayFinite(WeightFormat format, float size)
    {
        using var scope = NewDisposeScope();
        using var parameters = new PackedParameters(2, 64, format, CPU);
        var weights = linspace(-1, 1, 128, dtype: float32).view(2, 64).mul(size);
        parameters.Pack(weights, 0, "large or small");
        TensorAssert.Near(weights.to(float64), parameters.View().Widened(float32).to(float64), Math.Max(1e-30, size * 0.15));
    }

    [TestMethod]
    [DataRow(float.NaN)]
    [DataRow(float.PositiveInfinity)]
    [DataRow(float.NegativeInfinity)]
    public void WhatIsNoNumberIsRefusedByName(float wrong)
    {
        using var scope = NewDisposeScope();
        using var parameters = new PackedParameters(3, 40, WeightFormat.Int8, CPU);
        var weights = ones(3, 40);
        weights[2, 39] = wrong;
        var error = Assert.ThrowsExactly<ArgumentException>(() => parameters.Pack(weights, 0, "layers.0.mlp.up_proj.chain_1"));
        Assert.Contains("layers.0.mlp.up_proj.chain_1", error.Message);
    }

    [TestMethod]
    [DynamicData(nameof(Shapes))]
    public void ProductsAreThoseOfRoundedActivations(WeightFormat format, int width)
    {
        using var scope = NewDisposeScope();
        using var parameters = Packed(format, outputs: 11, width, out _);
        using var generator = new Generator(2);
        var view = parameters.View();
        foreach (var rows in new[] { 1, 2, 7, 8, 9, 17 })
        {
            var x = randn([rows, width], generator: generator).mul(3);
            var expected = Rounded(x).mm(view.Widened(float32).to(float64).t());
            TensorAssert.RelativelyNear(expected, Multiply(view, x, zeros([rows, 11]), adds: false), 1e-6, $"{rows} rows");
            TensorAssert.RelativelyNear(expected + 1, Multiply(view, x, ones([rows, 11]), adds: true), 1e-6, $"{rows} rows, added");
        }
    }

    [TestMethod]
    [DynamicData(nameof(Shapes))]
    public void AnOutputIsTheSameToTheBitWhateverIsBesideIt(WeightFormat format, int width)
    {
        using var scope = NewDisposeScope();
        using var parameters = Packed(format, outputs: 6, width, out _);
        using var generator = new Generator(2);
        var view = parameters.View();
        var x = randn([19, width], generator: generator);
        var together = Multiply(view, x, zeros([19, 6]), adds: false);
        for (var row = 0; row < 19; row++)
        {
            var alone = Multiply(view, x[row].unsqueeze(0), zeros([1, 6]), adds: false);
            TensorAssert.SameBits(together[row].unsqueeze(0), alone, $"row {row}");
        }
        var parts = zeros([19, 6]);
        for (var output = 0; output < 6; output++)
            view.MultiplyRounded(Address(x), width, 19, output, output + 1, Address(parts), 6, adds: false);
        TensorAssert.SameBits(together, parts, "an output at a time");
    }

    [TestMethod]
    [DataRow(WeightFormat.Int8)]
    [DataRow(WeightFormat.Int4)]
    public void ActivationsThatAreZeroOrNoNumbersGiveWhatTheyShould(WeightFormat format)
    {
        using var scope = NewDisposeScope();
        using var parameters = Packed(format, outputs: 3, 64, out _);
        var x = zeros(5, 64);
        x[1, 40] = float.NaN;
        x[2, 40] = float.PositiveInfinity;
        // Too small to divide by; beside it, zeros are no numbers then.
        x[3, 40] = 1e-40f;
        x[4, 40] = 2e-36f;
        var y = Multiply(parameters.View(), x, zeros([5, 3]), adds: false);
        TensorAssert.SameBits(zeros(3), y[0]);
        Assert.IsTrue(y[1].isnan().all().ToBoolean());
        Assert.IsTrue(y[2].isfinite().logical_not().all().ToBoolean());
        TensorAssert.SameBits(zeros(3), y[3]);
        Assert.IsTrue((y[4] != 0).any().ToBoolean());
    }

    private static PackedParameters Packed(WeightFormat format, int outputs, int width, out Tensor weights)
    {
        using var generator = new Generator(1);
        weights = randn([outputs, width], generator: generator);
        var parameters = new PackedParameters(outputs, width, format, CPU);
        parameters.Pack(weights, 0, "weights");
        return parameters;
    }

    // A group's largest magnitude is 127 steps.
    private static Tensor Rounded(Tensor x)
    {
        var (rows, width) = (x.size(0), x.size(1));
        var groups = PackedWeight.GroupsOf((int)width);
        var whole = zeros([rows, groups * PackedWeight.GroupWidth]);
        whole.narrow(1, 0, width).copy_(x);
        var grouped = whole.view(rows, groups, PackedWeight.GroupWidth);
        var largest = grouped.abs().amax([2], keepdim: true);
        var codes = grouped.mul(full_like(largest, 127).div(largest)).round();
        return codes.to(float64).mul(largest.div(127)).view(rows, -1).narrow(1, 0, width);
    }

    private static Tensor Multiply(PackedWeight weight, Tensor x, Tensor y, bool adds)
    {
        weight.MultiplyRounded(Address(x), x.size(1), (int)x.size(0), 0, weight.Outputs, Address(y), y.size(1), adds);
        return y;
    }

    private static float* Address(Tensor tensor) => (float*)TensorMemory.Address(tensor);
}
