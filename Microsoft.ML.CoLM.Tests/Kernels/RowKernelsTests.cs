using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary>Kernels between the products, and the element types they read and write.</summary>
[TestClass, DoNotParallelize]
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

    [TestMethod]
    [DataRow(1)]
    [DataRow(7)]
    [DataRow(100)]
    public void ASoftmaxIsTheFormulaAtEveryWidthOfVectors(int count)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var logits = randn([count], generator: generator) * 3;
        var index = (int)logits.argmax().item<long>();
        var expected = logits.to(float64).softmax(0)[index].item<double>();
        var numbers = logits.data<float>().ToArray();
        Assert.AreEqual(expected, VectorMath.SoftmaxOf<Floats16>(numbers, index), 1e-6);
        Assert.AreEqual(expected, VectorMath.SoftmaxOf<Floats8>(numbers, index), 1e-6);
        Assert.AreEqual(expected, VectorMath.SoftmaxOf<Floats4>(numbers, index), 1e-6);
    }

    // To the bit, but for a norm's sum, which has another order.
    [TestMethod]
    [DataRow(64)]
    [DataRow(44)]
    [DataRow(6)]
    public void EveryWidthOfVectorsGivesTheSame(int width)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var (x, weight) = (randn([width], generator: generator) * 3, randn([width], generator: generator));
        var (cosine, sine) = (randn([width / 2], generator: generator), randn([width / 2], generator: generator));
        var expected = All<Floats16>();
        foreach (var other in new[] { All<Floats8>(), All<Floats4>() })
        {
            for (var i = 0; i < expected.Length; i++)
            {
                if (i == 0)
                    TensorAssert.RelativelyNear(expected[i].to(float32), other[i].to(float32), 1.0 / 128);
                else
                    TensorAssert.SameBits(expected[i], other[i], $"{i}");
            }
        }

        Tensor[] All<TFloats>()
            where TFloats : struct, IFloats<TFloats>
        {
            float* from = (float*)TensorMemory.Address(x), by = (float*)TensorMemory.Address(weight);
            Tensor[] results = [New(bfloat16), New(float32), New(float32), New(float32), New(bfloat16)];
            var to = Array.ConvertAll(results, TensorMemory.Address);
            RowKernels.Normalise<Float32Element, BFloat16Element, TFloats>(from, by, (void*)to[0], width, 1e-5f);
            RowKernels.SwiGlu<Float32Element, Float32Element, TFloats>(from, by, (void*)to[1], width);
            RowKernels.Rotate<Float32Element, TFloats>(from, (float*)to[2], width, (float*)TensorMemory.Address(cosine),
                (float*)TensorMemory.Address(sine), scale: 0.3f);
            RowKernels.Narrow<BFloat16Element, TFloats>(from, (void*)to[4], 0, width);
            RowKernels.Widen<BFloat16Element, TFloats>((void*)to[4], 0, (float*)to[3], width);
            return results;
        }

        Tensor New(ScalarType dtype) => zeros([width], dtype: dtype);
    }
}
