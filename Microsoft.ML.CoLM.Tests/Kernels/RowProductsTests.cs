using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary>Products of a few rows with weights that are read in place.</summary>
[TestClass]
public sealed unsafe class RowProductsTests
{
    [TestMethod]
    [DataRow(1, 64, 8)]
    [DataRow(3, 7, 5)]
    [DataRow(4, 172, 33)]
    [DataRow(9, 40, 18)]
    [DataRow(16, 16, 4)]
    public void ProductsAreLibtorchs(int rows, int width, int outputs)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var x = randn([rows, width], generator: generator);
        foreach (var dtype in new[] { float32, bfloat16 })
        {
            var weight = randn([outputs, width], generator: generator).to(dtype);
            var expected = x.mm(weight.to(float32).t());
            var y = Multiply(x, weight, adds: false, zeros([rows, outputs]));
            TensorAssert.RelativelyNear(expected, y, 1e-6, $"{dtype}");
            TensorAssert.RelativelyNear(expected + 1, Multiply(x, weight, adds: true, ones([rows, outputs])), 1e-6);
        }
    }

    [TestMethod]
    public void AnOutputIsTheSameToTheBitInEveryTile()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var (x, weight) = (randn([7, 172], generator: generator), randn([9, 172], generator: generator));
        var together = Multiply(x, weight, adds: false, zeros([7, 9]));
        for (var row = 0; row < 7; row++)
        {
            for (var output = 0; output < 9; output++)
            {
                var alone = Multiply(x[row].unsqueeze(0), weight[output].unsqueeze(0), adds: false, zeros([1, 1]));
                TensorAssert.SameBits(together[row, output].reshape(1, 1), alone, $"{row}, {output}");
            }
        }
    }

    private static Tensor Multiply(Tensor x, Tensor weight, bool adds, Tensor y)
    {
        var (input, matrix, output) = (TensorMemory.Address(x), TensorMemory.Address(weight), TensorMemory.Address(y));
        var (rows, width, outputs) = ((int)x.size(0), (int)x.size(1), (int)weight.size(0));
        if (weight.dtype == float32)
            RowProducts.Multiply<Float32Element>((float*)input, width, rows, (void*)matrix, width, 0, outputs, (float*)output, outputs, adds);
        else
            RowProducts.Multiply<BFloat16Element>((float*)input, width, rows, (void*)matrix, width, 0, outputs, (float*)output, outputs, adds);
        return y;
    }
}
