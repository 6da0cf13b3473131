using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;
using TorchSharp;
using TorchSharp.Modules;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

/// <summary>Nothing is left to the garbage collector: what a pass does not return is gone when it returns.</summary>
[TestClass, DoNotParallelize]
public sealed class LiveTensorTests
{
    private readonly CoLMModel _model = TestModels.Random(TestModels.Config(4, 2, 6) with { KvSharing = true });
    private readonly CoLMModel _own = TestModels.Random(TestModels.Config(4, 2, 6) with { TieWordEmbeddings = true });

    [TestCleanup]
    public void Dispose()
    {
        _model.Dispose();
        _own.Dispose();
    }

    [TestMethod]
    public void TwoHundredForwardPassesLeaveNothingBehind() => AssertFlat(200, i =>
    {
        using var noGradients = no_grad();
        using var ids = TestIds.Of(_model.Config, i % 3 + 1, i % 20 + 1);
        using var shared = _model.forward(ids, i % 3 + 1);
        using var own = _own.forward(ids, i % 3 + 1);
    });

    [TestMethod]
    public void FiftyPassesInBlocksLeaveNothingBehind() => AssertFlat(50, i =>
    {
        using var noGradients = no_grad();
        using var ids = TestIds.Of(_model.Config, 1, i % 20 + 1);
        foreach (var model in new[] { _model, _own })
        {
            model.BlockLength = 4;
            using var logits = model.forward(ids, i % 3 + 1);
            using var rows = tensor(new[] { i % 20L });
            using var kept = model.Keep(ids, 1, rows);
        }
    });

    [TestMethod]
    public void TwentyStepsOfTheHeadsCrossEntropyLeaveNothingBehind() => AssertFlat(20, i =>
    {
        using var ids = TestIds.Of(_model.Config, i % 3 + 1, i % 20 + 1);
        foreach (var model in new[] { _model, _own })
        {
            using var features = model.Features(ids, new ChainRange(0, 3));
            using var targets = ids.view(-1);
            using var loss = model.Head.CrossEntropy(features, new ChainRange(0, 3), earlier: null, targets, [0.5, 0, 1]);
            loss.backward();
            BackwardResults.Release();
        }
    });

    [TestMethod]
    public void TwoHundredForwardPassesWithAGraphLeaveNothingBehind() => AssertFlat(200, i =>
    {
        using var ids = TestIds.Of(_model.Config, i % 3 + 1, i % 20 + 1);
        using var shared = _model.forward(ids, i % 3 + 1);
        using var own = _own.forward(ids, i % 3 + 1);
    });

    [TestMethod]
    public void FiftyForwardAndBackwardPassesLeaveNothingBehind() => AssertFlat(50, i =>
    {
        using var ids = TestIds.Of(_model.Config, i % 3 + 1, i % 20 + 1);
        foreach (var model in new[] { _model, _own })
        {
            using var logits = model.forward(ids, i % 3 + 1);
            using var loss = logits.sum();
            loss.backward();
            BackwardResults.Release();
        }
    });

    [TestMethod]
    public void FiftyPassesBehindAFrozenPrefixLeaveNothingBehind() => AssertFlat(50, i =>
    {
        using var ids = TestIds.Of(_model.Config, i % 3 + 1, i % 20 + 1);
        var rest = new ChainRange(i % 2 + 1, 3);
        foreach (var model in new[] { _model, _own })
        {
            using var prefix = model.PrefixWithLogits(ids, rest.First);
            using var features = model.Features(ids, rest, prefix);
            var scales = model.Scales(features, rest, prefix);
            using var loss = scales[^1].sum();
            loss.backward();
            BackwardResults.Release();
            scales.ForEach(logits => logits.Dispose());
        }
    });

    [TestMethod]
    public void RefusedIdsLeaveNothingBehind() => AssertFlat(20, _ =>
    {
        using var ids = full([1, 3], 40, dtype: int64);
        Assert.ThrowsExactly<ArgumentException>(() => _model.forward(ids, 1));
    });

    // TorchSharp counts a parameter twice when it is made and once when it is disposed.
    [TestMethod]
    public void ModelsThatAreMadeGrownMovedAndDisposedLeaveNothingBehind()
    {
        var start = Tensor.TotalCount;
        new Parameter(zeros(1)).Dispose();
        var uncounted = Tensor.TotalCount - start;

        AssertFlat(5, i =>
        {
            using var model = CoLMModel.Create(TestModels.Config(4, 2), seed: i, CPU, ScalarType.Float32);
            using var grown = model.Expand([4], kvSharing: false, seed: i);
            grown.to(bfloat16);
            grown.to(float32);
        }, leftByAPass: uncounted * (ParameterCount(4, 2) + 3 * ParameterCount(4, 2, 4)));
    }

    [TestMethod]
    public void ADisposedModelHasFreedEveryParameterAndAMovedOneThoseItHadBefore()
    {
        var model = TestModels.Random(TestModels.Config(4, 2));
        var first = model.parameters().ToList();
        model.to(bfloat16);
        var second = model.parameters().ToList();
        Assert.IsTrue(first.TrueForAll(parameter => parameter.IsInvalid));
        Assert.IsFalse(second.Exists(parameter => parameter.IsInvalid));
        model.Dispose();
        Assert.IsTrue(second.TrueForAll(parameter => parameter.IsInvalid));
    }

    [TestMethod]
    public void AModelThatIsRefusedLeavesNothingBehind() => AssertFlat(5, i =>
    {
        Assert.ThrowsExactly<ArgumentException>(() => _model.Expand([3], kvSharing: true, seed: i));
    });

    private static int ParameterCount(params int[] chains)
    {
        using var model = TestModels.Random(TestModels.Config(chains));
        return model.parameters().Count();
    }

    private static void AssertFlat(int passes, Action<int> pass, long leftByAPass = 0)
    {
        for (var i = 0; i < 6; i++)
            pass(i);
        GC.Collect();
        GC.WaitForPendingFinalizers();
        GC.Collect();
        var before = Tensor.TotalCount;
        for (var i = 0; i < passes; i++)
            pass(i);
        Assert.AreEqual(before + passes * leftByAPass, Tensor.TotalCount);
    }
}
