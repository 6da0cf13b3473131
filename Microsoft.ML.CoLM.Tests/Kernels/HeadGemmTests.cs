using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

[TestClass, DoNotParallelize]
public sealed class HeadGemmTests
{
    [TestMethod]
    [DataRow(1, 300, 5, ScalarType.Float32)]
    [DataRow(1, 300, 5, ScalarType.BFloat16)]
    [DataRow(20, 517, 64, ScalarType.Float32)]
    [DataRow(20, 517, 64, ScalarType.BFloat16)]
    public void LogitsAreFloat32OfWhateverIsMultiplied(int rows, int vocabulary, int width, ScalarType type)
    {
        using var scope = NewDisposeScope();
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
}
