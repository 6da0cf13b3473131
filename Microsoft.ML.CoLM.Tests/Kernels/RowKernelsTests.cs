using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary>Kernels between the products, and the element types they read and write.</summary>
[TestClass]
public sealed unsafe class RowKernelsTests
{
    [TestMethod]
    public void BFloat16IsRoundedAsLibtorchRoundsIt()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var special = tensor([0f, -0f, 1f, float.PositiveInfinity, float.NegativeInfinity, 3.4e38f, 1e-40f, 1.00390625f, 1.01171875f]);
        var numbers = cat([special, randn([55], generator: generator)]);
        var expected = numbers.to(bfloat16);
        var (vectors, scalars) = (zeros([64], dtype: bfloat16), zeros([64], dtype: bfloat16));
        var from = (float*)TensorMemory.Address(numbers);
        RowKernels.Narrow<BFloat16Element>(from, (void*)TensorMemory.Address(vectors), 0, 64);
        for (var i = 0; i < 64; i++)
            BFloat16Element.Set((void*)TensorMemory.Address(scalars), i, from[i]);
        TensorAssert.SameBits(expected, vectors);
        TensorAssert.SameBits(expected, scalars);

        var wide = zeros([64]);
        RowKernels.Widen<BFloat16Element>((void*)TensorMemory.Address(expected), 0, (float*)TensorMemory.Address(wide), 64);
        TensorAssert.SameBits(expected.to(float32), wide);
    }

    [TestMethod]
    public void ANaNStaysOne()
    {
        using var scope = NewDisposeScope();
        var nans = full([16], float.NaN);
        var narrow = zeros([16], dtype: bfloat16);
        RowKernels.Narrow<BFloat16Element>((float*)TensorMemory.Address(nans), (void*)TensorMemory.Address(narrow), 0, 16);
        Assert.IsTrue(narrow.isnan().all().item<bool>());
    }

    [TestMethod]
    [DataRow(64)]
    [DataRow(24)]
    [DataRow(7)]
    public void NormIsTheFormula(int width)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var (x, weight, y) = (randn([width], generator: generator), randn([width], generator: generator), zeros([width]));
        RowKernels.Normalise<Float32Element, Float32Element>((float*)TensorMemory.Address(x),
            (void*)TensorMemory.Address(weight), (void*)TensorMemory.Address(y), width, 1e-5f);
        TensorAssert.RelativelyNear(weight * x / (x.square().mean() + 1e-5).sqrt(), y, 1e-6);
    }

    [TestMethod]
    [DataRow(8)]
    [DataRow(44)]
    [DataRow(64)]
    public void RotationIsTheFormulaToTheBit(int d)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var (x, angles, y) = (randn([d], generator: generator), randn([d / 2], generator: generator), zeros([d]));
        var (cosine, sine) = (angles.cos(), angles.sin());
        RowKernels.Rotate<Float32Element>((void*)TensorMemory.Address(x), (float*)TensorMemory.Address(y), d,
            (float*)TensorMemory.Address(cosine), (float*)TensorMemory.Address(sine), scale: 0.3f);
        var (first, second) = (x.narrow(0, 0, d / 2), x.narrow(0, d / 2, d / 2));
        var expected = cat([first * cosine - second * sine, second * cosine + first * sine]) * 0.3f;
        TensorAssert.SameBits(expected, y);
    }

    [TestMethod]
    public void SwiGluIsTheFormulaAndTheSameAtEveryPlace()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var gate = cat([tensor([-100f, 100f, 0f, -0f]), randn([36], generator: generator) * 5]);
        var (up, y) = (randn([40], generator: generator), zeros([40]));
        float* g = (float*)TensorMemory.Address(gate), u = (float*)TensorMemory.Address(up);
        var result = (float*)TensorMemory.Address(y);
        RowKernels.SwiGlu<Float32Element, Float32Element>(g, u, result, 40);
        TensorAssert.RelativelyNear(nn.functional.silu(gate) * up, y, 1e-6);

        var alone = zeros([1]);
        for (var i = 0; i < 40; i++)
        {
            RowKernels.SwiGlu<Float32Element, Float32Element>(g + i, u + i, (void*)TensorMemory.Address(alone), 1);
            TensorAssert.SameBits(y[i].reshape(1), alone, $"{i}");
        }
    }
}
