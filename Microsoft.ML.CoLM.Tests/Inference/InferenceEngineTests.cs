using System.Runtime.CompilerServices;
using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Inference;

/// <summary>What a model's sessions share, and for how long.</summary>
[TestClass, DoNotParallelize]
public sealed class InferenceEngineTests
{
    private const string Layout = "96,48";

    // As a chunk, and as rows behind it.
    private const int PromptLength = 40;
    private const int RowCount = 3;

    /// <summary>Ways of giving a model other weights.</summary>
    private static readonly Dictionary<string, Action<CoLMModel, CoLMModel>> Writers = new()
    {
        ["in place"] = static (model, other) => ForEach(model, other, static (own, written) => own.copy_(written)),
        ["in other memory"] = static (model, other) => ForEach(model, other, static (own, written) => own.set_(written.detach().clone())),
        ["in memory that is not contiguous"] = static (model, other) => ForEach(model, other, static (own, written) =>
            own.set_(written.detach().t().contiguous().t())),
        ["by load_state_dict"] = static (model, other) => model.load_state_dict(other.state_dict()),
        ["by ShareWeights"] = static (model, other) =>
        {
            ForEach(model, other, static (own, written) => own.copy_(written));
            model.ShareWeights(other);
        },
    };

    public static IEnumerable<object[]> Writes =>
        from writer in Writers.Keys
        from dtype in new[] { float32, bfloat16 }
        select new object[] { writer, dtype };

    [TestMethod]
    [DynamicData(nameof(Writes))]
    public void WeightsAreReadAsTheyAre(string writer, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var model = SessionModels.Create(Layout, kvSharing: false, dtype);
        using var other = Other(dtype);
        var before = Logits(model);
        var expected = Logits(other);
        CollectionAssert.AreNotEqual(before, expected);
        using (no_grad())
            Writers[writer](model, other);
        CollectionAssert.AreEqual(expected, Logits(model));
        // And once more, from what was kept then.
        using (no_grad())
            ForEach(model, other, static (own, _) => own.mul_(0.5));
        CollectionAssert.AreNotEqual(expected, Logits(model));
    }

    [TestMethod]
    public void AModelThatWasConvertedIsReadInItsType()
    {
        using var scope = NewDisposeScope();
        using var model = SessionModels.Create(Layout, kvSharing: true, float32);
        _ = Logits(model);
        model.to(bfloat16);
        using var converted = SessionModels.Create(Layout, kvSharing: true, bfloat16);
        ForEach(converted, model, static (own, written) => own.set_(written.detach().clone()));
        CollectionAssert.AreEqual(Logits(converted), Logits(model));
    }

    [TestMethod]
    [DataRow("chain_2.weight_of_the_model")]
    [DataRow("adapter")]
    public void AdaptersAreMergedAsTheyAre(string written)
    {
        using var scope = NewDisposeScope();
        using var model = SessionModels.Create(Layout, kvSharing: true, float32);
        model.Adapters = new LowRankAdapters(model, firstChain: 1, new LoraOptions { Rank = 2 });
        model.Adapters.Initialise(seed: 1);
        var before = Logits(model);
        using (no_grad())
        {
            foreach (var (name, parameter) in model.named_parameters())
            {
                if (ParameterName.IsOfChains(name) ? written != "adapter" && name.EndsWith("chain_2", StringComparison.Ordinal) : written == "adapter")
                    parameter.add_(0.01);
            }
        }
        var after = Logits(model);
        CollectionAssert.AreNotEqual(before, after);
        using var merged = model.MergeAdapters();
        CollectionAssert.AreEqual(Logits(merged), after);
        Assert.AreSame(model.WithoutAdapters(), model.WithoutAdapters(), "What did not change is not merged again.");
    }

    [TestMethod]
    public void SessionsShareAnEngineUntilTheWeightsAreOthers()
    {
        using var model = SessionModels.Create(Layout, kvSharing: true, float32);
        using var other = Other(float32, kvSharing: true);
        using var first = DecodingSession.Create(model, 1, 10);
        var engine = model.Engine.Engine;
        Assert.IsNotNull(engine);
        using (DecodingSession.Create(model, 1, 10))
            Assert.AreSame(engine, model.Engine.Engine);

        model.load_state_dict(other.state_dict());
        Assert.IsNull(model.Engine.Engine);
        using (DecodingSession.Create(model, 1, 10))
            Assert.AreNotSame(engine, model.Engine.Engine);
        model.train();
        Assert.IsNull(model.Engine.Engine);
        // Whoever had the old one still has it.
        first.Run([new DecodingRow(0, 0, 1)], 0, new ChainRange(0, 2));
        _ = first.Logits(0);
        first.Dispose();

        using (DecodingSession.Create(model, 1, 10))
            Assert.IsNotNull(model.Engine.Engine);
        model.ShareWeights(other);
        Assert.IsNull(model.Engine.Engine);
        using (DecodingSession.Create(model, 1, 10))
            Assert.IsNotNull(model.Engine.Engine);
        model.to(bfloat16);
        Assert.IsNull(model.Engine.Engine);
        using (DecodingSession.Create(model, 1, 10))
            Assert.IsNotNull(model.Engine.Engine);
        model.Dispose();
        Assert.IsNull(model.Engine.Engine);
    }

    [TestMethod]
    public void AnotherNumberOfThreadsTakesAnotherTeam()
    {
        var threads = get_num_threads();
        using var model = SessionModels.Create(Layout, kvSharing: true, float32);
        var expected = Logits(model);
        try
        {
            set_num_threads(threads + 1);
            CollectionAssert.AreEqual(expected, Logits(model));
            Assert.AreEqual(threads + 1, ((InferenceEngine)model.Engine.Engine!).Team.Count);
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [TestMethod]
    public void WhoeverSeesAnotherNumberOfThreadsTakesTheTeamOfWhoIsThere()
    {
        var threads = get_num_threads();
        using var model = SessionModels.Create(Layout, kvSharing: true, float32);
        using var session = DecodingSession.Create(model, 1, 10);
        var engine = model.Engine.Engine;
        try
        {
            set_num_threads(threads + 1);
            _ = Logits(model);
            Assert.AreSame(engine, model.Engine.Engine);
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [TestMethod]
    [DataRow("4,4,2", ScalarType.Float32)]
    [DataRow(Layout, ScalarType.Float32)]
    [DataRow(Layout, ScalarType.BFloat16)]
    [Timeout(120_000, CooperativeCancellation = true)]
    public void CallersBesideEachOtherGetWhatEachGetsAlone(string chains, ScalarType dtype)
    {
        // With as many threads as callers or more, callers take turns; with fewer, each computes alone.
        var threads = get_num_threads();
        try
        {
            foreach (var count in (int[])[2, 9])
            {
                set_num_threads(count);
                AreAsAlone(chains, dtype);
            }
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    private static void AreAsAlone(string chains, ScalarType dtype)
    {
        using var model = SessionModels.Create(chains, kvSharing: false, dtype);
        var expected = Enumerable.Range(0, 4).Select(seed => Logits(model, seed)).ToArray();
        using var held = DecodingSession.Create(model, 1, 10);
        Parallel.For(0, 32, new ParallelOptions { MaxDegreeOfParallelism = 8 }, call =>
            CollectionAssert.AreEqual(expected[call % 4], Logits(model, call % 4)));
    }

    [TestMethod]
    public void AModelThatNobodyDisposedLeavesNoThreads()
    {
        var team = Forget();
        for (var attempt = 0; attempt < 100 && team.IsAlive; attempt++)
        {
            GC.Collect();
            GC.WaitForPendingFinalizers();
            Thread.Sleep(20);
        }
        Assert.IsFalse(team.IsAlive);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static WeakReference Forget()
    {
        var model = SessionModels.Create(Layout, kvSharing: true, float32);
        _ = Logits(model);
        return new WeakReference(((InferenceEngine)model.Engine.Engine!).Team);
    }

    private static CoLMModel Other(ScalarType dtype, bool kvSharing = false)
    {
        var other = SessionModels.Create(Layout, kvSharing, dtype);
        using var noGradients = no_grad();
        foreach (var parameter in other.parameters())
            parameter.mul_(1.25);
        return other;
    }

    private static void ForEach(CoLMModel model, CoLMModel other, Action<Tensor, Tensor> write)
    {
        using var scope = NewDisposeScope();
        using var noGradients = no_grad();
        foreach (var ((_, own), (_, written)) in model.named_parameters().Zip(other.named_parameters()))
            write(own, written);
    }

    // Of a session of its own, at all chains, behind a chunk of tokens.
    private static float[] Logits(CoLMModel model, int seed = 1)
    {
        var tokens = SessionModels.Tokens(model, PromptLength + RowCount, seed);
        using var session = DecodingSession.Create(model, 1, tokens.Length);
        session.Prefill(0, tokens.AsSpan(0, PromptLength), model.Config.ChainCount);
        List<float> logits = [];
        foreach (var row in SessionModels.Rows(tokens, PromptLength, RowCount))
        {
            session.Run([row], 0, new ChainRange(0, model.Config.ChainCount));
            logits.AddRange(session.Logits(0));
        }
        return [.. logits];
    }
}
