using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

[TestClass, DoNotParallelize]
public sealed class HeadGemmTests
{
    [TestMethod]
    [DataRow(1, 300, 5, ScalarType.Float32, MatrixLibrary.LibTorch)]
    [DataRow(1, 300, 5, ScalarType.BFloat16, MatrixLibrary.LibTorch)]
    [DataRow(20, 517, 64, ScalarType.Float32, MatrixLibrary.LibTorch)]
    [DataRow(20, 517, 64, ScalarType.Float32, MatrixLibrary.CoLM)]
    [DataRow(20, 517, 64, ScalarType.BFloat16, MatrixLibrary.LibTorch)]
    [DataRow(20, 517, 64, ScalarType.BFloat16, MatrixLibrary.CoLM)]
    [DataRow(20, 517, 64, ScalarType.BFloat16, MatrixLibrary.Widened)]
    public void LogitsAreFloat32OfWhateverIsMultiplied(int rows, int vocabulary, int width, ScalarType type, MatrixLibrary library)
    {
        using var scope = NewDisposeScope();
        using var products = Multiplied.By(library);
        using var generator = new Generator(1);
        // A slice, as a chain's features are of all.
        var own = randn([rows, 2 * width], generator: generator).to(type).narrow(1, width, width);
        var head = randn([vocabulary, width], generator: generator).to(type);
        var product = own.to(float64).mm(head.to(float64).t());
        var logits = full([rows, vocabulary], float.NaN);
        for (var times = 1; times <= 2; times++)
        {
            HeadGemm.AddTo(logits, own, new(head), adds: times > 1);
            var error = (logits.to(float64) - product * times).abs().max().ToDouble();
            Assert.IsLessThan(1e-4, error, $"{times}");
        }
    }

    [TestMethod]
    [DataRow(ScalarType.Float32, MatrixLibrary.LibTorch, 1e-5)]
    [DataRow(ScalarType.Float32, MatrixLibrary.CoLM, 1e-5)]
    [DataRow(ScalarType.BFloat16, MatrixLibrary.LibTorch, 0.02)]
    [DataRow(ScalarType.BFloat16, MatrixLibrary.CoLM, 0.02)]
    [DataRow(ScalarType.BFloat16, MatrixLibrary.Widened, 0.02)]
    public void AChainsLogitsAreAddedToThoseBeforeIt(ScalarType type, MatrixLibrary library, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        using var products = Multiplied.By(library);
        using var noGradients = no_grad();
        var (own, head) = (randn([20, 64], generator: generator).to(type), randn([517, 64], generator: generator).to(type));
        var product = own.to(float64).mm(head.to(float64).t());
        var first = HeadGemm.AddOver(null, own, new(head));
        TensorAssert.RelativelyNear(product, first, tolerance);
        TensorAssert.RelativelyNear(product, HeadGemm.Add(null, own, new(head)), tolerance);
        TensorAssert.RelativelyNear(2 * product, HeadGemm.Add(first, own, new(head)), tolerance);
        var both = HeadGemm.AddOver(first, own, new(head));
        TensorAssert.RelativelyNear(2 * product, both, tolerance);
        TensorAssert.SameBits(first, both, "The sum is where the first chain's logits were.");
    }
}
