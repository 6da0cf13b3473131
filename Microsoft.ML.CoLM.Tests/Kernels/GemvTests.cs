using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary>Products of a few rows with weights that are read in place.</summary>
[TestClass, DoNotParallelize]
public sealed unsafe class GemvTests
{
    private delegate void Kernel(
        float* x, long xStride, int rows, void* weight, int width, int first, int end, float* y, long yStride, bool adds);

    // Few inputs and many; rows that share registers by four, by two and not at all; widths with every kind of remainder.
    public static IEnumerable<object[]> Shapes { get; } =
        from shape in new (int Rows, int Width, int Outputs)[]
        {
            (1, 64, 8), (3, 7, 5), (4, 172, 33), (9, 40, 18), (16, 16, 4),
            (1, 177, 9), (4, 177, 9), (5, 177, 9), (1, 200, 7), (4, 200, 7), (5, 200, 7),
            (1, 257, 6), (4, 257, 6), (5, 257, 6), (1, 1000, 5), (4, 1000, 5), (7, 1000, 5), (2, 3, 3), (5, 2, 1),
        }
        from lanes in new[] { 16, 8, 4 }
        select new object[] { shape.Rows, shape.Width, shape.Outputs, lanes };

    [TestMethod]
    [DynamicData(nameof(Shapes))]
    public void ProductsAreLibtorchs(int rows, int width, int outputs, int lanes)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var x = randn([rows, width], generator: generator);
        foreach (var dtype in new[] { float32, bfloat16 })
        {
            var weight = randn([outputs, width], generator: generator).to(dtype);
            var expected = x.to(float64).mm(weight.to(float64).t());
            var y = Multiply(x, weight, adds: false, zeros([rows, outputs]), lanes);
            TensorAssert.RelativelyNear(expected, y, 1e-6, $"{dtype}");
            TensorAssert.RelativelyNear(expected + 1, Multiply(x, weight, adds: true, ones([rows, outputs]), lanes), 1e-6);
        }
    }

    [TestMethod]
    [DataRow(172, 16)]
    [DataRow(172, 8)]
    [DataRow(172, 4)]
    [DataRow(257, 16)]
    [DataRow(257, 8)]
    [DataRow(257, 4)]
    [DataRow(3, 4)]
    public void AnOutputIsTheSameToTheBitInEveryTile(int width, int lanes)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var (x, weight) = (randn([7, width], generator: generator), randn([9, width], generator: generator));
        var together = Multiply(x, weight, adds: false, zeros([7, 9]), lanes);
        for (var row = 0; row < 7; row++)
        {
            for (var output = 0; output < 9; output++)
            {
                var alone = Multiply(x[row].unsqueeze(0), weight[output].unsqueeze(0), adds: false, zeros([1, 1]), lanes);
                TensorAssert.SameBits(together[row, output].reshape(1, 1), alone, $"{row}, {output}");
            }
        }
    }

    [TestMethod]
    public void ThisProcessorsVectorsAreUsed()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var (x, weight) = (randn([5, 257], generator: generator), randn([6, 257], generator: generator));
        var expected = Multiply(x, weight, adds: false, zeros([5, 6]), VectorWidth.Floats);
        var y = zeros([5, 6]);
        Gemv.Multiply<Float32Element>((float*)TensorMemory.Address(x), 257, 5, (void*)TensorMemory.Address(weight), 257,
            0, 6, (float*)TensorMemory.Address(y), 6, adds: false);
        TensorAssert.SameBits(expected, y);
    }

    private static Tensor Multiply(Tensor x, Tensor weight, bool adds, Tensor y, int lanes)
    {
        var (rows, width, outputs) = ((int)x.size(0), (int)x.size(1), (int)weight.size(0));
        var kernel = weight.dtype == float32 ? OfWidth<Float32Element>(lanes) : OfWidth<BFloat16Element>(lanes);
        kernel((float*)TensorMemory.Address(x), width, rows, (void*)TensorMemory.Address(weight), width, 0, outputs,
            (float*)TensorMemory.Address(y), outputs, adds);
        return y;
    }

    private static Kernel OfWidth<TWeight>(int lanes)
        where TWeight : struct, IElement => lanes switch
        {
            16 => Gemv.Multiply<TWeight, Floats16>,
            8 => Gemv.Multiply<TWeight, Floats8>,
            _ => Gemv.Multiply<TWeight, Floats4>,
        };
}
