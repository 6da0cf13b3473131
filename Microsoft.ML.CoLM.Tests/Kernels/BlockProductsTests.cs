using System.Runtime.Intrinsics.X86;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

/// <summary>Sums of float32 products in packed blocks.</summary>
[TestClass]
public sealed class BlockProductsTests
{
    [TestMethod]
    [DataRow(8, 32, 16)]
    [DataRow(1, 1, 1)]
    [DataRow(9, 33, 17)]
    [DataRow(150, 70, 300)]
    [DataRow(40, 1100, 270)]
    public void ProductsAreLibtorchsHoweverTheMatricesLie(int rows, int columns, int depth)
    {
        Require();
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
    public void TermsAreAddedUpAndToWhatIsThere()
    {
        Require();
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
        Require();
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
        Require();
        using var scope = NewDisposeScope();
        var (left, right, y) = (ones([12, 20]), ones([20, 35]), zeros([12, 35]));
        left[3, 4] = float.NaN;
        Compute(y, [(left, right)], adds: false);
        Assert.AreEqual(35, y.isnan().sum().item<long>());
        Assert.AreEqual(35, y[3].isnan().sum().item<long>());
    }

    private static void Compute(Tensor target, (Tensor Left, Tensor Right)[] terms, bool adds) => BlockProducts.Run(
    [
        new TargetBlock(MatrixView.Of(target), (int)target.size(0), (int)target.size(1),
            Array.ConvertAll(terms, term => new ProductTerm(
                MatrixView.Of(term.Left), MatrixView.Of(term.Right), (int)term.Left.size(1))), adds),
    ]);

    private static Tensor Transposed(Tensor matrix) => matrix.t().contiguous().t();

    // Neither rows nor columns are neighbours.
    private static Tensor Spread(Tensor matrix)
    {
        var wide = zeros([2 * matrix.size(0), 3 * matrix.size(1)]);
        var spread = wide[TensorIndex.Slice(step: 2), TensorIndex.Slice(step: 3)];
        return spread.copy_(matrix);
    }

    private static void Require()
    {
        if (!Avx512F.IsSupported)
            Assert.Inconclusive("This test needs a processor with AVX-512: products of blocks are made for it.");
    }
}
