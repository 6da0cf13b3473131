using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

[TestClass, DoNotParallelize]
public sealed unsafe class CrossEntropyKernelTests
{
    private const double Tolerance = 1e-6;

    [TestMethod]
    [DataRow(1, 1, ScalarType.Float32)]
    [DataRow(3, 5, ScalarType.Float32)]
    [DataRow(7, 40, ScalarType.BFloat16)]
    [DataRow(2, 4096, ScalarType.Float32)]
    [DataRow(40, 8209, ScalarType.Float32)]
    [DataRow(40, 8209, ScalarType.BFloat16)]
    public void SumAndGradientAreLibtorchsInDoublePrecision(int rows, int width, ScalarType type)
    {
        using var scope = NewDisposeScope();
        var logits = Random(rows, width, type);
        var targets = tensor(Enumerable.Range(0, rows).Select(row => ((long)row * 7919 + width - 1) % width).ToArray());
        var exact = logits.to(float64).requires_grad_(true);
        var expected = nn.functional.cross_entropy(exact, targets, reduction: nn.Reduction.Sum).mul(0.5);
        expected.backward();

        var gradient = empty(rows, width);
        var sum = 0.5 * CrossEntropyKernel.Sum(logits, targets, gradient, factor: 0.5);
        Assert.AreEqual(expected.item<double>(), sum, Tolerance * expected.item<double>());
        TensorAssert.RelativelyNear(exact.grad!, gradient, Tolerance);
        Assert.AreEqual(sum, 0.5 * CrossEntropyKernel.Sum(logits, targets, gradient: null, factor: 0.5), "without a gradient");

        // In the place of the logits, rounded to their type once.
        Assert.AreEqual(sum, 0.5 * CrossEntropyKernel.Sum(logits, targets, logits, factor: 0.5), "in place");
        TensorAssert.SameBits(gradient.to(type), logits);
    }

    [TestMethod]
    public void EveryWidthOfVectorsGivesTheSame()
    {
        const int Width = 1003;
        using var scope = NewDisposeScope();
        var logits = Random(1, Width, ScalarType.Float32);
        var expected = -nn.functional.log_softmax(logits.to(float64), dim: 1)[0, 17].ToDouble();
        var gradients = Enumerable.Range(0, 3).Select(_ => empty(1, Width)).ToArray();
        void* memory = (void*)MatrixView.Of(logits).Address;
        Assert.AreEqual(expected, CrossEntropyKernel.Row<Float32Element, Float32Element, Floats16>(
            memory, (void*)MatrixView.Of(gradients[0]).Address, Width, 17, 1), Tolerance * expected);
        Assert.AreEqual(expected, CrossEntropyKernel.Row<Float32Element, Float32Element, Floats8>(
            memory, (void*)MatrixView.Of(gradients[1]).Address, Width, 17, 1), Tolerance * expected);
        Assert.AreEqual(expected, CrossEntropyKernel.Row<Float32Element, Float32Element, Floats4>(
            memory, (void*)MatrixView.Of(gradients[2]).Address, Width, 17, 1), Tolerance * expected);
        TensorAssert.RelativelyNear(gradients[0], gradients[1], Tolerance);
        TensorAssert.RelativelyNear(gradients[0], gradients[2], Tolerance);
    }

    [TestMethod]
    public void ASumIsTheSameToTheBitOnEveryNumberOfThreads()
    {
        using var scope = NewDisposeScope();
        var logits = Random(301, 1003, ScalarType.Float32);
        var targets = arange(301, dtype: int64);
        var threads = get_num_threads();
        try
        {
            var sums = new List<double>();
            foreach (var count in new[] { 1, 2, 3 })
            {
                set_num_threads(count);
                sums.Add(CrossEntropyKernel.Sum(logits, targets, gradient: null, factor: 1));
            }
            Assert.AreEqual(1, sums.Distinct().Count());
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    private static Tensor Random(int rows, int width, ScalarType type)
    {
        using var generator = new Generator(1);
        return randn([rows, width], generator: generator).mul_(4).to(type);
    }
}
