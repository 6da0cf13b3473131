using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

[TestClass, DoNotParallelize]
public sealed class ChainLinearFunctionTests
{
    private const double Float64Rounding = 1e-13;

    // As many as several threads share.
    private const int ManyRows = 300;

    private static readonly long[] InputWidths = [6, 4, 10];
    private static readonly long[] OutputWidths = [5, 8, 3];

    public static IEnumerable<object[]> Cases { get; } =
        from rows in new[] { 1L, 2, 15, 16, 17, 40 }
        from earlierWidth in new[] { 0L, 7 }
        from chains in new[] { 1, 2, 3 }
        select new object[] { rows, earlierWidth, chains };

    [TestMethod]
    [DynamicData(nameof(Cases))]
    public void ValueAndGradientsAreThoseOfTheFormula(long rows, long earlierWidth, int chains)
    {
        using var scope = NewDisposeScope();
        GradientAssert.Same(Apply, Formula, Inputs(rows, earlierWidth, chains), Float64Rounding);
    }

    public static IEnumerable<object[]> Frozen { get; } =
        from earlierWidth in new[] { 0L, 7 }
        from needed in new[] { "x", "0", "1", "2", "x0", "x2", "12", "x02", "012" }
        select new object[] { earlierWidth, needed };

    // Of x and the three weights, those that are named need a gradient.
    [TestMethod]
    [DynamicData(nameof(Frozen))]
    public void WhatIsFrozenGetsNoGradientAndTheRestGetsItsOwn(long earlierWidth, string needed)
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(rows: 5, earlierWidth, chains: 3);
        inputs[0].requires_grad_(needed.Contains('x'));
        for (var chain = 0; chain < 3; chain++)
            inputs[^(3 - chain)].requires_grad_(needed.Contains((char)('0' + chain)));
        GradientAssert.Same(Apply, Formula, inputs, Float64Rounding);
    }

    [TestMethod]
    public void WithNothingToLearnThereIsNoGraph()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(rows: 5, earlierWidth: 7, chains: 3);
        Array.ForEach(inputs, input => input.requires_grad_(false));
        Assert.IsFalse(Apply(inputs).requires_grad);
    }

    [TestMethod]
    public void TheEarlierChainsFeaturesGetNoGradient()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(rows: 5, earlierWidth: 7, chains: 2);
        inputs[1].requires_grad_(true);
        Apply(inputs).sum().backward();
        Assert.IsNull(inputs[1].grad);
        Assert.IsNotNull(inputs[0].grad);
    }

    [TestMethod]
    public void ASliceOfAWiderMatrixIsReadInPlace()
    {
        using var scope = NewDisposeScope();
        foreach (var rows in new[] { 3L, 40 })
        {
            var x = GradientAssert.Random([rows, 30]);
            var earlier = GradientAssert.Random([rows, 20], needsGradient: false);
            Tensor[] weights = [GradientAssert.Random([5, 7 + 6]), GradientAssert.Random([8, 7 + 10])];
            GradientAssert.Same(
                inputs => ChainLinearFunction.Apply(inputs[0].narrow(1, 4, 10), inputs[1].narrow(1, 9, 7), inputs[2..]),
                inputs => Formula([inputs[0].narrow(1, 4, 10), inputs[1].narrow(1, 9, 7), .. inputs[2..]]),
                [x, earlier, .. weights], Float64Rounding);
        }
    }

    [TestMethod]
    public void AGraphThatIsKeptIsWalkedTwice()
    {
        using var scope = NewDisposeScope();
        var inputs = Inputs(rows: 5, earlierWidth: 7, chains: 3);
        var loss = Apply(inputs).square().sum();
        loss.backward(create_graph: false, retain_graph: true);
        var once = Array.ConvertAll(inputs, input => input.grad?.clone());
        loss.backward();
        for (var i = 0; i < inputs.Length; i++)
        {
            if (once[i] is { } gradient)
                TensorAssert.RelativelyNear(2 * gradient, inputs[i].grad!, Float64Rounding, $"input {i}");
        }
    }

    [TestMethod]
    [DataRow(MatrixLibrary.LibTorch)]
    [DataRow(MatrixLibrary.CoLM)]
    [DataRow(MatrixLibrary.Widened)]
    public void TheModelsTypesAreComputedAsTheFormulaIs(MatrixLibrary library)
    {
        using var scope = NewDisposeScope();
        using var products = Multiplied.By(library);
        // A unit in the last place is 2^-23 and 2^-7; sums of some dozens of products stay within a few of them.
        foreach (var (dtype, tolerance) in new[] { (float32, 2e-6), (bfloat16, 0.016) })
        {
            var inputs = Array.ConvertAll(Inputs(rows: 20, earlierWidth: 7, chains: 3),
                input => input.detach().to(dtype).requires_grad_(input.requires_grad));
            GradientAssert.Same(Apply, Formula, inputs, tolerance);
        }
    }

    // Large enough that the weights' gradients are computed at once, a thread each, and in bfloat16 everything by rows.
    [TestMethod]
    [DataRow(0, ScalarType.Float64, MatrixLibrary.LibTorch, Float64Rounding)]
    [DataRow(96, ScalarType.Float64, MatrixLibrary.LibTorch, Float64Rounding)]
    [DataRow(96, ScalarType.Float32, MatrixLibrary.LibTorch, 2e-6)]
    [DataRow(96, ScalarType.Float32, MatrixLibrary.CoLM, 2e-6)]
    [DataRow(0, ScalarType.BFloat16, MatrixLibrary.LibTorch, 0.016)]
    [DataRow(96, ScalarType.BFloat16, MatrixLibrary.LibTorch, 0.016)]
    [DataRow(96, ScalarType.BFloat16, MatrixLibrary.CoLM, 0.016)]
    [DataRow(0, ScalarType.BFloat16, MatrixLibrary.Widened, 0.016)]
    [DataRow(96, ScalarType.BFloat16, MatrixLibrary.Widened, 0.016)]
    public void ManyRowsAreComputedAsTheFormulaIs(int earlierWidth, ScalarType dtype, MatrixLibrary library, double tolerance)
    {
        using var scope = NewDisposeScope();
        using var products = Multiplied.By(library);
        const int Width = 272;
        List<Tensor> inputs = [GradientAssert.Random([ManyRows, 4 * Width], dtype: dtype)];
        if (earlierWidth > 0)
            inputs.Add(GradientAssert.Random([ManyRows, earlierWidth], needsGradient: false, seed: 2, dtype: dtype));
        for (var chain = 0; chain < 4; chain++)
            inputs.Add(GradientAssert.Random([Width, earlierWidth + (chain + 1) * Width], seed: 3 + chain, dtype: dtype));
        GradientAssert.Same(Apply, Formula, [.. inputs], tolerance);
    }

    // Widths that fill vectors and widths that do not, narrow and wide, in and out.
    public static IEnumerable<object[]> Widths { get; } =
        from widths in new (int In, int Out)[]
        {
            (4, 8), (6, 12), (16, 32), (20, 40), (43, 86), (64, 128), (172, 344), (128, 16), (64, 4),
            (6, 4), (10, 8), (22, 10), (18, 2), (9, 6), (7, 3), (33, 11), (3, 1),
        }
        from dtype in new[] { ScalarType.Float32, ScalarType.BFloat16 }
        from library in Enum.GetValues<MatrixLibrary>()
        where library != MatrixLibrary.Widened || dtype == ScalarType.BFloat16
        select new object[] { widths.In, widths.Out, dtype, library };

    // Rows from one to beyond where the kernel changes its way.
    [TestMethod]
    [DynamicData(nameof(Widths))]
    public void AChainsOutputsAreTheSameToTheBitWhateverStandsBesideIt(
        int inputWidth, int outputWidth, ScalarType dtype, MatrixLibrary library)
    {
        using var products = Multiplied.By(library);
        using var noGradients = no_grad();
        using var outer = NewDisposeScope();
        Tensor[] weights = [.. Enumerable.Range(1, 3)
            .Select(chain => GradientAssert.Random([outputWidth, chain * inputWidth], dtype: dtype))];
        foreach (var rows in Enumerable.Range(1, 40).Append(ManyRows))
        {
            using var scope = NewDisposeScope();
            var x = GradientAssert.Random([rows, 3 * inputWidth], dtype: dtype);
            var beside = ChainLinearFunction.Apply(x, null, weights);
            for (var chains = 1; chains < 3; chains++)
            {
                var alone = ChainLinearFunction.Apply(
                    x.narrow(1, 0, chains * inputWidth).contiguous(), null, weights[..chains]);
                TensorAssert.SameBits(
                    alone, beside.narrow(1, 0, chains * outputWidth), $"{chains} chains, {rows} rows");
            }
        }
    }

    // The second chain of {32,1} over 32 features, say. A slice of one column looks contiguous to some of libtorch's
    // products, which begin to show at 4096 multiplications.
    [TestMethod]
    [DataRow(ScalarType.Float32, 2e-6)]
    [DataRow(ScalarType.BFloat16, 0.016)]
    public void AChainOneFeatureWideIsComputedLikeAnyOther(ScalarType dtype, double tolerance)
    {
        foreach (var rows in new[] { 1L, 2, 15, 16, 40, 130 })
        {
            using var scope = NewDisposeScope();
            Tensor[] inputs =
            [
                GradientAssert.Random([rows, 64], dtype: dtype),                // inputs 60, 1 and 3 wide
                GradientAssert.Random([5, 60], seed: 3, dtype: dtype),
                GradientAssert.Random([1, 61], seed: 4, dtype: dtype),
                GradientAssert.Random([8, 64], seed: 5, dtype: dtype),
            ];
            GradientAssert.Same(Apply, Formula, inputs, tolerance);
            Tensor[] behindOthers =
            [
                GradientAssert.Random([rows, 1], dtype: dtype),
                GradientAssert.Random([rows, 60], needsGradient: false, seed: 2, dtype: dtype),
                GradientAssert.Random([1, 61], seed: 3, dtype: dtype),
            ];
            GradientAssert.Same(Apply, Formula, behindOthers, tolerance);
        }
    }

    // x, the earlier chains' features (absent for width 0), one weight a chain.
    private static Tensor[] Inputs(long rows, long earlierWidth, int chains)
    {
        List<Tensor> inputs = [GradientAssert.Random([rows, InputWidths[..chains].Sum()])];
        if (earlierWidth > 0)
            inputs.Add(GradientAssert.Random([rows, earlierWidth], needsGradient: false, seed: 2));
        for (var chain = 0; chain < chains; chain++)
        {
            inputs.Add(GradientAssert.Random(
                [OutputWidths[chain], earlierWidth + InputWidths[..(chain + 1)].Sum()], seed: 3 + chain));
        }
        return [.. inputs];
    }

    private static Tensor Apply(Tensor[] inputs)
    {
        var hasEarlier = HasEarlier(inputs);
        return ChainLinearFunction.Apply(inputs[0], hasEarlier ? inputs[1] : null, inputs[(hasEarlier ? 2 : 1)..]);
    }

    private static Tensor Formula(Tensor[] inputs)
    {
        var hasEarlier = HasEarlier(inputs);
        var read = hasEarlier ? cat([inputs[1], inputs[0]], dim: 1) : inputs[0];
        var weights = inputs[(hasEarlier ? 2 : 1)..];
        return cat(Array.ConvertAll(weights, weight => read.narrow(1, 0, weight.size(1)).mm(weight.t())), dim: 1);
    }

    // The last chain's weight reads all there is.
    private static bool HasEarlier(Tensor[] inputs) => inputs[^1].size(1) > inputs[0].size(1);
}
