using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary>Sums of products in packed blocks.</summary>
[TestClass, DoNotParallelize]
public sealed class BatchedGemmTests
{
    private delegate void Kernel(
        MatrixView left, MatrixView right, MatrixView target, int rows, int columns, int depth, bool adds);

    [TestMethod]
    [DataRow(8, 32, 16)]
    [DataRow(1, 1, 1)]
    [DataRow(9, 33, 17)]
    [DataRow(150, 70, 300)]
    [DataRow(40, 1100, 270)]
    public void ProductsAreLibtorchsHoweverTheMatricesLie(int rows, int columns, int depth)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var (left, right) = (randn([rows, depth], generator: generator), randn([depth, columns], generator: generator));
        var expected = left.to(float64).mm(right.to(float64)).to(float32);
        foreach (var (a, b) in new[]
        {
            (left, right), (Transposed(left), right), (left, Transposed(right)), (Transposed(left), Transposed(right)),
            (Spread(left), Spread(right)),
        })
        {
            var y = full([rows, columns + 3], 7f);
            Compute(y.narrow(1, 1, columns), [(a, b)], adds: false);
            TensorAssert.RelativelyNear(expected, y.narrow(1, 1, columns), 1e-6);
            TensorAssert.SameBits(full([rows, 1], 7f), y.narrow(1, 0, 1), "the column before");
            TensorAssert.SameBits(full([rows, 2], 7f), y.narrow(1, columns + 1, 2), "the columns behind");
        }
    }

    [TestMethod]
    [DataRow(16)]
    [DataRow(8)]
    [DataRow(4)]
    public void EveryWidthOfVectorsGivesTheProduct(int lanes)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        Kernel multiply = lanes switch
        {
            16 => PanelGemm.Multiply<Floats16>,
            8 => PanelGemm.Multiply<Floats8>,
            _ => PanelGemm.Multiply<Floats4>,
        };
        foreach (var (rows, columns, depth) in new[] { (8, 32, 16), (13, 45, 300), (70, 33, 5) })
        {
            foreach (var dtype in new[] { float32, bfloat16 })
            {
                var left = randn([rows, depth], generator: generator).to(dtype);
                var right = Transposed(randn([depth, columns], generator: generator).to(dtype));
                var y = ones([rows, columns]);
                multiply(MatrixView.Of(left), MatrixView.Of(right), MatrixView.Of(y), rows, columns, depth, adds: true);
                TensorAssert.RelativelyNear(left.to(float64).mm(right.to(float64)) + 1, y, 1e-6, $"{rows} rows, {dtype}");
            }
        }
    }

    [TestMethod]
    [DataRow(9, 33, 17)]
    [DataRow(150, 70, 300)]
    [DataRow(300, 600, 270)]
    public void BFloat16IsSummedInFloat32AndRoundedOnce(int rows, int columns, int depth)
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var (left, right) = (Narrow(rows, depth), Narrow(depth, columns));
        foreach (var (a, b) in new[]
        {
            (left, right), (Transposed(left), right), (left, Transposed(right)), (Spread(left), Spread(right)),
        })
        {
            var (wide, narrow) = (zeros([rows, columns]), zeros([rows, columns + 3], dtype: bfloat16));
            Compute(wide, [(a, b)], adds: false);
            TensorAssert.RelativelyNear(left.to(float64).mm(right.to(float64)), wide, 1e-6);
            Compute(narrow.narrow(1, 2, columns), [(a, b)], adds: false);
            TensorAssert.SameBits(wide.to(bfloat16), narrow.narrow(1, 2, columns));
            Assert.AreEqual(0, narrow.narrow(1, 0, 2).count_nonzero().item<long>());
            Assert.AreEqual(0, narrow.narrow(1, columns + 2, 1).count_nonzero().item<long>());
            Compute(narrow.narrow(1, 2, columns), [(a, b)], adds: true);
            // What is there was rounded to 8 bits, and the sum is.
            TensorAssert.RelativelyNear(2 * wide, narrow.narrow(1, 2, columns), 1.0 / 128);
        }

        Tensor Narrow(long height, long width) => randn([height, width], generator: generator).to(bfloat16);
    }

    [TestMethod]
    public void TermsAreAddedUpAndToWhatIsThere()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        var (a, b) = (randn([20, 50], generator: generator), randn([50, 40], generator: generator));
        var (c, d) = (randn([20, 7], generator: generator), randn([7, 40], generator: generator));
        var y = ones([20, 40]);
        Compute(y, [(a, b), (c, d)], adds: true);
        TensorAssert.RelativelyNear(a.mm(b) + c.mm(d) + 1, y, 1e-6);
    }

    [TestMethod]
    public void AnElementIsTheSameToTheBitInEveryPieceAndTile()
    {
        using var scope = NewDisposeScope();
        using var generator = new Generator(1);
        // Work enough for many pieces.
        var (left, right) = (randn([203, 290], generator: generator), randn([290, 330], generator: generator));
        var together = zeros([203, 330]);
        Compute(together, [(left, right)], adds: false);
        foreach (var (row, rows, column, columns) in new[] { (0, 203, 0, 330), (5, 1, 17, 1), (64, 30, 100, 200), (197, 6, 321, 9) })
        {
            var part = zeros([rows, columns]);
            Compute(part, [(left.narrow(0, row, rows), right.narrow(1, column, columns))], adds: false);
            TensorAssert.SameBits(together.narrow(0, row, rows).narrow(1, column, columns), part, $"{rows} rows, {columns} columns");
        }
    }

    [TestMethod]
    public void WhatIsNotANumberStaysInItsRow()
    {
        using var scope = NewDisposeScope();
        var (left, right, y) = (ones([12, 20]), ones([20, 35]), zeros([12, 35]));
        left[3, 4] = float.NaN;
        Compute(y, [(left, right)], adds: false);
        Assert.AreEqual(35, y.isnan().sum().item<long>());
        Assert.AreEqual(35, y[3].isnan().sum().item<long>());
    }

    private static void Compute(Tensor target, (Tensor Left, Tensor Right)[] terms, bool adds) => BatchedGemm.Run(
    [
        new TargetBlock(MatrixView.Of(target), (int)target.size(0), (int)target.size(1),
            Array.ConvertAll(terms, term => new GemmTerm(
                MatrixView.Of(term.Left), MatrixView.Of(term.Right), (int)term.Left.size(1))), adds),
    ]);

    private static Tensor Transposed(Tensor matrix) => matrix.t().contiguous().t();

    // Neither rows nor columns are neighbours.
    private static Tensor Spread(Tensor matrix)
    {
        var wide = zeros([2 * matrix.size(0), 3 * matrix.size(1)], dtype: matrix.dtype);
        var spread = wide[TensorIndex.Slice(step: 2), TensorIndex.Slice(step: 3)];
        return spread.copy_(matrix);
    }
}
