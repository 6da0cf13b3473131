using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

[TestClass, DoNotParallelize]
public sealed unsafe class LogSoftmaxKernelTests
{
    private const double Tolerance = 1e-6;

    [TestMethod]
    [DataRow(1, 1, ScalarType.Float32)]
    [DataRow(3, 5, ScalarType.Float32)]
    [DataRow(7, 40, ScalarType.BFloat16)]
    [DataRow(2, 4096, ScalarType.Float32)]
    [DataRow(40, 8209, ScalarType.Float32)]
    [DataRow(40, 8209, ScalarType.BFloat16)]
    public void EveryRowIsLibtorchsInDoublePrecision(int rows, int width, ScalarType type)
    {
        using var scope = NewDisposeScope();
        var logits = Random(rows, width, type);
        int[] targets = [.. Enumerable.Range(0, rows).Select(row => (row * 7919 + width - 1) % width)];
        var expected = nn.functional.log_softmax(logits.to(float64), dim: 1);
        var actual = LogSoftmaxKernel.Of(logits, targets);
        for (var row = 0; row < rows; row++)
        {
            var value = expected[row, targets[row]].ToDouble();
            Assert.AreEqual(value, actual[row], Tolerance * Math.Max(1, Math.Abs(value)));
        }
    }

    [TestMethod]
    public void EveryWidthOfVectorsGivesTheSame()
    {
        const int Width = 1003;
        using var scope = NewDisposeScope();
        var logits = Random(1, Width, ScalarType.Float32);
        var memory = (void*)MatrixView.Of(logits).Address;
        var expected = nn.functional.log_softmax(logits.to(float64), dim: 1)[0, 17].ToDouble();
        Assert.AreEqual(expected, LogSoftmaxKernel.Of<Float32Element, Floats16>(memory, Width, 17), Tolerance * -expected);
        Assert.AreEqual(expected, LogSoftmaxKernel.Of<Float32Element, Floats8>(memory, Width, 17), Tolerance * -expected);
        Assert.AreEqual(expected, LogSoftmaxKernel.Of<Float32Element, Floats4>(memory, Width, 17), Tolerance * -expected);
    }

    // A float32 sum of so many would have lost a part of each.
    [TestMethod]
    public void ManySmallExponentialsBesideALargeOneAreNotLost()
    {
        const int Width = 1 << 17;
        using var scope = NewDisposeScope();
        var logits = full([1, Width], -10f);
        logits[0, 0] = 0;
        var memory = (void*)MatrixView.Of(logits).Address;
        var expected = -Math.Log(1 + (Width - 1) * Math.Exp(-10.0));
        Assert.AreEqual(expected, LogSoftmaxKernel.Of<Float32Element, Floats16>(memory, Width, 0), Tolerance);
        Assert.AreEqual(expected, LogSoftmaxKernel.Of<Float32Element, Floats8>(memory, Width, 0), Tolerance);
        Assert.AreEqual(expected, LogSoftmaxKernel.Of<Float32Element, Floats4>(memory, Width, 0), Tolerance);
    }

    [TestMethod]
    public void ARowDoesNotDependOnThoseBesideIt()
    {
        const int Width = 9001;
        using var scope = NewDisposeScope();
        var logits = Random(50, Width, ScalarType.Float32);
        int[] targets = [.. Enumerable.Range(0, 50).Select(row => row * 100)];
        var together = LogSoftmaxKernel.Of(logits, targets);
        for (var row = 0; row < 50; row++)
            Assert.AreEqual(together[row], LogSoftmaxKernel.Of(logits.narrow(0, row, 1), [targets[row]])[0]);
    }

    [TestMethod]
    public void LargeNumbersAreNoTroubleAndWhatIsNoNumberStaysSo()
    {
        using var scope = NewDisposeScope();
        var logits = tensor(new float[] { 3e38f, -3e38f, 0, float.NegativeInfinity, 3e38f }, [1, 5]);
        Assert.AreEqual(-Math.Log(2), LogSoftmaxKernel.Of(logits, [0])[0], Tolerance);
        Assert.AreEqual(float.NegativeInfinity, LogSoftmaxKernel.Of(logits, [3])[0]);
        foreach (var wrong in (float[])[float.NaN, float.PositiveInfinity])
        {
            foreach (var place in (int[])[0, 20, 36])
            {
                var row = zeros(1, 37);
                row[0, place] = tensor(wrong);
                Assert.IsTrue(float.IsNaN(LogSoftmaxKernel.Of(row, [1])[0]), $"{wrong} at {place}");
            }
        }
    }

    private static Tensor Random(int rows, int width, ScalarType type)
    {
        using var generator = new Generator(1);
        return randn([rows, width], generator: generator).mul_(4).to(type);
    }
}
