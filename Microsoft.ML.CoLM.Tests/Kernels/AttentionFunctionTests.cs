using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Kernels;

[TestClass, DoNotParallelize]
public sealed class AttentionFunctionTests
{
    // A few hundred float32 additions, each within 6e-8 of its result.
    private const double Rounding = 5e-6;

    [TestMethod]
    [DataRow(1, 1, 2, 2)]
    [DataRow(2, 3, 5, 8)]
    [DataRow(3, 2, 37, 8)]
    [DataRow(2, 1, 64, 24)]
    [DataRow(1, 4, 130, 6)]
    [DataRow(5, 1, 100, 32)]
    [DataRow(2, 3, 40, 64)]
    [DataRow(1, 2, 300, 34)]
    [DataRow(1, 1, 129, 128)]
    public void ValueAndGradientsAreThoseOfTheFormula(int groups, int queries, int length, int width) =>
        GradientAssert.Same(
            inputs => AttentionFunction.Apply(inputs[0], inputs[1], inputs[2]),
            inputs => Formula(inputs[0], inputs[1], inputs[2]),
            [Random(groups, queries, length, width, 1), Random(groups, 1, length, width, 2),
                Random(groups, 1, length, width, 3)], Rounding);

    [TestMethod]
    public void InBFloat16ItIsTheFormulaOfTheRoundedInputsRoundedOnce()
    {
        using var scope = NewDisposeScope();
        var inputs = Array.ConvertAll((int[])[3, 1, 1],
            heads => Random(2, heads, 37, 8, seed: heads).detach().to(bfloat16).requires_grad_());
        var exact = Array.ConvertAll(inputs, input => input.detach().to(float32).requires_grad_());
        var gradient = Random(2, 3, 37, 8, 4).detach().to(bfloat16);
        var expected = Formula(exact[0], exact[1], exact[2]);
        expected.backward([gradient.to(float32)]);
        var actual = AttentionFunction.Apply(inputs[0], inputs[1], inputs[2]);
        Assert.AreEqual(bfloat16, actual.dtype);
        actual.backward([gradient]);
        BackwardResults.Release();
        const double Rounding = 1 / 256.0;
        TensorAssert.RelativelyNear(expected.detach(), actual.detach().to(float32), Rounding);
        for (var i = 0; i < inputs.Length; i++)
            TensorAssert.RelativelyNear(exact[i].grad!, inputs[i].grad!.to(float32), 2 * Rounding, $"input {i}");
    }

    [TestMethod]
    public void KeysAndValuesOfAFrozenChainGetNoGradient() => GradientAssert.Same(
        inputs => AttentionFunction.Apply(inputs[0], inputs[1], inputs[2]),
        inputs => Formula(inputs[0], inputs[1], inputs[2]),
        [Random(2, 3, 19, 8, 1), Random(2, 1, 19, 8, 2).requires_grad_(false),
            Random(2, 1, 19, 8, 3).requires_grad_(false)], Rounding);

    [TestMethod]
    [DataRow(1)]
    [DataRow(3)]
    [DataRow(16)]
    [DataRow(33)]
    public void AHeadIsTheSameToTheBitWhateverStandsBesideIt(int length)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var (queries, keys, values) =
            (Random(3, 5, length, 8, 1), Random(3, 1, length, 8, 2), Random(3, 1, length, 8, 3));
        var beside = AttentionFunction.Apply(queries, keys, values).narrow(0, 1, 1).narrow(1, 2, 2);
        var alone = AttentionFunction.Apply(
            queries.narrow(0, 1, 1).narrow(1, 2, 2), keys.narrow(0, 1, 1), values.narrow(0, 1, 1));
        TensorAssert.SameBits(alone, beside);
    }

    [TestMethod]
    public void APositionIsTheSameToTheBitWhateverFollowsIt()
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var (queries, keys, values) = (Random(2, 2, 50, 8, 1), Random(2, 1, 50, 8, 2), Random(2, 1, 50, 8, 3));
        var whole = AttentionFunction.Apply(queries, keys, values).narrow(2, 0, 21);
        var beginning = AttentionFunction.Apply(
            queries.narrow(2, 0, 21), keys.narrow(2, 0, 21), values.narrow(2, 0, 21));
        TensorAssert.SameBits(beginning, whole);
    }

    [TestMethod]
    public void ScoresFarApartNeitherOverflowNorLoseTheGreatest()
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var queries = Random(1, 1, 20, 8, 1) * 300;
        var (keys, values) = (Random(1, 1, 20, 8, 2) * 300, Random(1, 1, 20, 8, 3));
        var expected = Formula(queries.to(float64), keys.to(float64), values.to(float64));
        TensorAssert.RelativelyNear(expected, AttentionFunction.Apply(queries, keys, values), 1e-2);
    }

    [TestMethod]
    public void WhatIsNoNumberStaysNone()
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var queries = Random(1, 1, 20, 8, 1);
        queries[0, 0, 11, 3] = float.NaN;
        var result = AttentionFunction.Apply(queries, Random(1, 1, 20, 8, 2), Random(1, 1, 20, 8, 3));
        Assert.IsTrue(result[0, 0, 11].isnan().all().ToBoolean());
        Assert.IsFalse(result[0, 0, 10].isnan().any().ToBoolean());
    }

    [TestMethod]
    [DataRow(1, 40)]
    [DataRow(39, 1)]
    [DataRow(20, 20)]
    [DataRow(7, 33)]
    public void TokensBehindOthersReadThemWhateverTheSizeOfAMask(int start, int count)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var length = start + count;
        var (queries, keys, values) = (Random(3, 2, length, 8, 1), Random(3, 1, length, 8, 2), Random(3, 1, length, 8, 3));
        var expected = Formula(queries.to(float64), keys.to(float64), values.to(float64)).narrow(2, start, count);
        foreach (var maskAtOnce in new long[] { 1, length, 3 * length + 1, length * length, long.MaxValue })
        {
            var actual = AttentionFunction.Continue(queries.narrow(2, start, count), keys, values, start, maskAtOnce);
            TensorAssert.RelativelyNear(expected, actual, Rounding, $"a mask of {maskAtOnce}");
        }
    }

    [TestMethod]
    public void WideHeadsAndOtherTypesGoToLibtorch()
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var (queries, keys, values) = (Random(2, 2, 9, 64, 1), Random(2, 1, 9, 64, 2), Random(2, 1, 9, 64, 3));
        var expected = Formula(queries.to(float64), keys.to(float64), values.to(float64));
        TensorAssert.RelativelyNear(expected, AttentionFunction.Apply(queries, keys, values), Rounding);
        // bfloat16 keeps 8 bits.
        TensorAssert.RelativelyNear(expected, AttentionFunction.Apply(
            queries.to(bfloat16), keys.to(bfloat16), values.to(bfloat16)), 1.0 / 64);
    }

    [TestMethod]
    [DataRow(1, 1, 2, 2)]
    [DataRow(3, 2, 37, 8)]
    public void EveryWidthOfVectorsGivesTheSame(int groups, int queries, int length, int width)
    {
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var shape = new AttentionShape(groups, queries, length, width);
        Tensor[] inputs = [Random(groups, queries, length, width, 1), Random(groups, 1, length, width, 2),
            Random(groups, 1, length, width, 3), Random(groups, queries, length, width, 4)];
        foreach (var (eight, four) in All<Floats8>().Zip(All<Floats4>()))
            TensorAssert.RelativelyNear(eight, four, Rounding);

        Tensor[] All<TFloats>()
            where TFloats : struct, IFloats<TFloats>
        {
            Tensor[] results =
            [
                empty_like(inputs[0]), empty([groups, queries, length]), .. inputs[..3].Select(input => empty_like(input)),
            ];
            var read = Array.ConvertAll(inputs, TensorMemory.Address);
            var written = Array.ConvertAll(results, TensorMemory.Address);
            AttentionKernel<TFloats>.Forward(shape, read[0], read[1], read[2], written[0], written[1]);
            AttentionKernel<TFloats>.Backward(shape, read[0], read[1], read[2], written[0], written[1], read[3], written[2],
                written[3], written[4]);
            return results;
        }
    }

    private static Tensor Random(long groups, long queries, long length, long width, int seed) =>
        GradientAssert.Random([groups, queries, length, width], seed: seed, dtype: float32);

    private static Tensor Formula(Tensor queries, Tensor keys, Tensor values)
    {
        var scores = queries.matmul(keys.transpose(-2, -1)) / Math.Sqrt(queries.size(-1));
        var isAfter = ones(queries.size(2), queries.size(2), dtype: ScalarType.Bool).triu(1);
        return nn.functional.softmax(scores.masked_fill(isAfter, double.NegativeInfinity), dim: -1).matmul(values);
    }
}
