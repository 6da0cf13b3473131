using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

[TestClass, DoNotParallelize]
public sealed class ScaleCrossEntropyFunctionTests
{
    private const double Float64Rounding = 1e-13;
    private const int Vocabulary = 50;

    [TestMethod]
    [DataRow(1, new[] { 8 }, new[] { 1.0 }, ScaleCrossEntropyFunction.LogitsAtOnce)]
    [DataRow(7, new[] { 8, 4 }, new[] { 0.3, 0.7 }, ScaleCrossEntropyFunction.LogitsAtOnce)]
    [DataRow(7, new[] { 8, 4, 20 }, new[] { 0.25, 2, 0.5 }, 1)]
    [DataRow(40, new[] { 8, 4, 20 }, new[] { 0, 0.5, 1 }, 3 * Vocabulary)]
    [DataRow(40, new[] { 8, 4, 20 }, new[] { 0.5, 0, 1 }, 7 * Vocabulary + 9)]
    [DataRow(40, new[] { 17, 33 }, new[] { 1.0, 1 }, 40 * Vocabulary)]
    public void ValueAndGradientsAreThoseOfTheFormula(int rows, int[] widths, double[] weights, int logitsAtOnce)
    {
        using var scope = NewDisposeScope();
        var targets = Targets(rows);
        GradientAssert.Same(
            inputs => Apply(inputs, targets, weights, logitsAtOnce), inputs => Formula(inputs, targets, weights),
            Inputs(rows, widths), Float64Rounding);
    }

    [TestMethod]
    public void WhatIsFrozenGetsNoGradientAndTheOthersGetTheirOwn()
    {
        using var scope = NewDisposeScope();
        var targets = Targets(9);
        for (var frozen = 0; frozen < 1 << 4; frozen++)
        {
            var inputs = Inputs(9, [8, 4]);
            for (var i = 0; i < inputs.Length; i++)
                inputs[i].requires_grad_((frozen >> i & 1) == 0);
            if (frozen == (1 << 4) - 1)
                continue;
            GradientAssert.Same(
                given => Apply(given, targets, [0.5, 1], 2 * Vocabulary), given => Formula(given, targets, [0.5, 1]),
                inputs, Float64Rounding);
        }
    }

    [TestMethod]
    public void ChainsBehindTheLastScaleThatCountsGetNoGradient()
    {
        using var scope = NewDisposeScope();
        var (targets, inputs) = (Targets(5), Inputs(5, [8, 4]));
        Apply(inputs, targets, [1, 0], Vocabulary).backward();
        Assert.IsNotNull(inputs[0].grad);
        Assert.IsNull(inputs[1].grad);
        Assert.IsNotNull(inputs[2].grad);
        Assert.IsNull(inputs[3].grad);
    }

    [TestMethod]
    [DataRow(ScalarType.Float32, MatrixLibrary.LibTorch, 3e-6)]
    [DataRow(ScalarType.Float32, MatrixLibrary.CoLM, 3e-6)]
    [DataRow(ScalarType.BFloat16, MatrixLibrary.LibTorch, 0.02)]
    [DataRow(ScalarType.BFloat16, MatrixLibrary.CoLM, 0.02)]
    [DataRow(ScalarType.BFloat16, MatrixLibrary.Widened, 0.02)]
    [DataRow(ScalarType.Float16, MatrixLibrary.LibTorch, 0.003)]
    public void EachTypeIsComputedAsTorchsOwnIs(ScalarType dtype, MatrixLibrary library, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var products = Multiplied.By(library);
        var targets = Targets(40);
        var inputs = Array.ConvertAll(Inputs(40, [16, 32]), input => input.detach().to(dtype).requires_grad_(true));
        GradientAssert.Same(
            given => Apply(given, targets, [0.5, 1], 7 * Vocabulary), given => Formula(given, targets, [0.5, 1]),
            inputs, tolerance);
    }

    [TestMethod]
    public void GradientsOfManyBlocksAreAddedUpInFloat32()
    {
        using var scope = NewDisposeScope();
        const int Rows = 1024;
        // Every row adds as much to the head's gradient: in bfloat16 a sum would stand still at 256 of them.
        var (x, head) = (ones([Rows, 16], bfloat16), zeros([Vocabulary, 16], bfloat16).requires_grad_(true));
        ScaleCrossEntropyFunction.Apply([x], [new(head)], zeros(Rows, int64), [1], logitsAtOnce: Vocabulary).backward();
        Assert.AreEqual(-Rows * (1 - 1.0 / Vocabulary), head.grad![0, 0].to(float64).item<double>(), Rows * 0.004);
    }

    [TestMethod]
    public void WithoutGradientsTheValueIsTheSame()
    {
        using var scope = NewDisposeScope();
        var (targets, inputs) = (Targets(40), Inputs(40, [8, 4]));
        var expected = Apply(inputs, targets, [0.5, 1], 3 * Vocabulary);
        using var noGradients = no_grad();
        var actual = Apply(inputs, targets, [0.5, 1], 3 * Vocabulary);
        Assert.IsFalse(actual.requires_grad);
        TensorAssert.SameBits(expected.detach(), actual);
    }

    [TestMethod]
    public void LogitsFarFromZeroHaveFiniteLossesAndGradients()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { 1e4f, -1e4f, 0 }, requires_grad: true);
        var head = tensor(new[] { 1f, -1, 0 }, requires_grad: true);
        var loss = ScaleCrossEntropyFunction.Apply([x.view(3, 1)], [new(head.view(3, 1))], zeros(3, int64), [1]);
        Assert.AreEqual(2e4 + Math.Log(3), loss.item<float>(), 0.01);
        loss.backward();
        Assert.IsTrue(x.grad!.isfinite().all().item<bool>());
        Assert.IsTrue(head.grad!.isfinite().all().item<bool>());
    }

    [TestMethod]
    public void ALossThatIsNoNumberIsNone()
    {
        using var scope = NewDisposeScope();
        var x = tensor(new[] { float.NaN, 0 }).view(2, 1);
        var loss = ScaleCrossEntropyFunction.Apply([x], [new(ones(3, 1).requires_grad_(true))], zeros(2, int64), [1]);
        Assert.IsTrue(float.IsNaN(loss.item<float>()));
    }

    [TestMethod]
    [DataRow(ScalarType.Float32, WeightFormat.Int8, MatrixLibrary.CoLM)]
    [DataRow(ScalarType.Float32, WeightFormat.Int4, MatrixLibrary.LibTorch)]
    [DataRow(ScalarType.BFloat16, WeightFormat.Int8, MatrixLibrary.CoLM)]
    [DataRow(ScalarType.BFloat16, WeightFormat.Int4, MatrixLibrary.LibTorch)]
    [DataRow(ScalarType.BFloat16, WeightFormat.Int8, MatrixLibrary.Widened)]
    public void AQuantisedHeadIsItsNumbers(ScalarType dtype, WeightFormat format, MatrixLibrary library)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        using var products = Multiplied.By(library);
        using var packed = new Microsoft.ML.CoLM.Modules.PackedParameters(60, 40, format, CPU);
        packed.Pack(randn([60, 40], generator: generator), 0, "head");
        var later = randn([60, 8], generator: generator).to(dtype);
        var features = new[] { randn([20, 40], generator: generator).to(dtype), randn([20, 8], generator: generator).to(dtype) };
        var targets = randint(0, 60, [20], dtype: int64, generator: generator);
        var results = new[] { new LinearWeight(packed.View()), new LinearWeight(packed.View().Widened(dtype)) }.Select(first =>
        {
            var own = Array.ConvertAll(features, x => x.clone().requires_grad_(true));
            var head = later.clone().requires_grad_(true);
            var loss = ScaleCrossEntropyFunction.Apply(own, [first, new(head)], targets, [0.5, 1], logitsAtOnce: 300);
            loss.backward();
            return new[] { loss, own[0].grad!, own[1].grad!, head.grad! };
        }).ToArray();
        foreach (var (actual, expected) in results[0].Zip(results[1]))
            TensorAssert.RelativelyNear(expected, actual, dtype == float32 ? 1e-6 : 2e-2);
    }

    private static Tensor Apply(Tensor[] inputs, Tensor targets, double[] weights, int logitsAtOnce) =>
        ScaleCrossEntropyFunction.Apply(
            inputs[..weights.Length], Array.ConvertAll(inputs[weights.Length..], head => new LinearWeight(head)), targets, weights, logitsAtOnce);

    private static Tensor Formula(Tensor[] inputs, Tensor targets, double[] weights)
    {
        var (sum, logits) = (zeros([], inputs[0].dtype), zeros([], inputs[0].dtype));
        for (var i = 0; i < weights.Length; i++)
        {
            logits = logits + inputs[i].mm(inputs[weights.Length + i].t());
            sum = sum + weights[i] * nn.functional.cross_entropy(logits, targets, reduction: nn.Reduction.Sum);
        }
        return sum;
    }

    private static Tensor Targets(int rows) => tensor(Enumerable.Range(0, rows).Select(i => (long)i * 37 % Vocabulary).ToArray());

    private static Tensor[] Inputs(int rows, int[] widths) =>
    [
        .. widths.Select((width, i) => GradientAssert.Random([rows, width], seed: i)),
        .. widths.Select((width, i) => GradientAssert.Random([Vocabulary, width], seed: 10 + i)),
    ];
}
