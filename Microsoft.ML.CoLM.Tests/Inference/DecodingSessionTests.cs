using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Tests.Estimators;
using Microsoft.ML.CoLM.Tests.Kernels;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Inference;

/// <summary>The sessions that generation runs on, beside the modules without a cache.</summary>
[TestClass, DoNotParallelize]
public sealed class DecodingSessionTests
{
    // A whole chunk, another one, and tokens so few that they are run as rows.
    private const int PromptLength = CpuSession<Float32Element>.MostTokensAtOnce + 24;
    private const int RestOfPrompt = 8;

    public static IEnumerable<object[]> Models => SessionModels.All;

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void LogitsBehindAPromptAreTheModels(string chains, bool kvSharing, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var model = SessionModels.Create(chains, kvSharing, dtype);
        var tokens = SessionModels.Tokens(model, PromptLength + RestOfPrompt + 3);
        for (var chainCount = 1; chainCount <= model.Config.Layout.ChainCount; chainCount++)
        {
            using var session = DecodingSession.Create(model, 1, tokens.Length);
            var reference = SessionModels.Reference(model, tokens, chainCount);
            session.Prefill(0, tokens.AsSpan(0, PromptLength), chainCount);
            session.Prefill(0, tokens.AsSpan(PromptLength, RestOfPrompt), chainCount);
            Assert.AreEqual(PromptLength + RestOfPrompt, session.Length(0));
            foreach (var row in SessionModels.Rows(tokens, PromptLength + RestOfPrompt, 3))
            {
                session.Run([row], 0, new ChainRange(0, chainCount));
                SessionModels.Near(reference[row.Position], session.Logits(0), SessionModels.Tolerance(dtype, reference));
            }
        }
    }

    [TestMethod]
    [DataRow("8,4", ScalarType.Float32, MatrixLibrary.LibTorch)]
    [DataRow("8,4", ScalarType.Float32, MatrixLibrary.CoLM)]
    [DataRow("8,4", ScalarType.BFloat16, MatrixLibrary.LibTorch)]
    [DataRow("8,4", ScalarType.BFloat16, MatrixLibrary.CoLM)]
    [DataRow("8,4", ScalarType.BFloat16, MatrixLibrary.Widened)]
    [DataRow("96,48", ScalarType.Float32, MatrixLibrary.LibTorch)]
    [DataRow("96,48", ScalarType.Float32, MatrixLibrary.CoLM)]
    [DataRow("96,48", ScalarType.BFloat16, MatrixLibrary.LibTorch)]
    [DataRow("96,48", ScalarType.BFloat16, MatrixLibrary.CoLM)]
    [DataRow("96,48", ScalarType.BFloat16, MatrixLibrary.Widened)]
    public void LogitsBehindAPromptAreTheModelsWhoeverMultiplies(string chains, ScalarType dtype, MatrixLibrary library)
    {
        using var scope = NewDisposeScope();
        using var model = SessionModels.Create(chains, kvSharing: false, dtype);
        var tokens = SessionModels.Tokens(model, 78);
        var reference = SessionModels.Reference(model, tokens, chainCount: 2);
        using var products = Multiplied.By(library);
        using var session = DecodingSession.Create(model, 1, tokens.Length);
        session.Prefill(0, tokens.AsSpan(0, 77), 2);
        session.Run(SessionModels.Rows(tokens, 77, 1), 0, new ChainRange(0, 2));
        SessionModels.Near(reference[77], session.Logits(0), SessionModels.Tolerance(dtype, reference));
    }

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void LaterChainsGoOnFromWhatEarlierOnesLeft(string chains, bool kvSharing, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var model = SessionModels.Create(chains, kvSharing, dtype);
        var (tokens, all) = (SessionModels.Tokens(model, 24), model.Config.Layout.ChainCount);
        var reference = SessionModels.Reference(model, tokens, all);
        using var session = DecodingSession.Create(model, 1, tokens.Length);
        session.Prefill(0, tokens.AsSpan(0, 20), all);
        var rows = SessionModels.Rows(tokens, 20, 4);
        for (var slot = 0; slot < rows.Length; slot++)
            session.Run([rows[slot]], slot, new ChainRange(0, 1));
        for (var chain = 1; chain < all; chain++)
            session.Run(rows, 0, new ChainRange(chain, chain + 1));
        for (var slot = 0; slot < rows.Length; slot++)
            SessionModels.Near(reference[20 + slot], session.Logits(slot), SessionModels.Tolerance(dtype, reference));
    }

    [TestMethod]
    [DataRow("4,4,2", false)]
    [DataRow("4,4,2", true)]
    [DataRow("8,4", true)]
    [DataRow("96,48", true)]
    [DataRow("96,48", false)]
    [DataRow("40,80", true)]
    [DataRow("40,80", false)]
    public void ARowIsTheSameToTheBitHoweverItIsRun(string chains, bool kvSharing)
    {
        foreach (var dtype in new[] { float32, bfloat16 })
        {
            using var model = SessionModels.Create(chains, kvSharing, dtype);
            var (tokens, all) = (SessionModels.Tokens(model, 31), model.Config.Layout.ChainCount);
            var rows = SessionModels.Rows(tokens, 20, 11);
            using var session = DecodingSession.Create(model, 2, tokens.Length);
            session.Prefill(0, tokens.AsSpan(0, 20), all);
            session.Prefill(1, tokens.AsSpan(3, 9), all);

            List<float[]> expected = [];
            foreach (var row in rows)
            {
                session.Run([row], 0, new ChainRange(0, all));
                expected.Add(session.Logits(0).ToArray());
            }

            // All together, and beside another sequence's.
            session.Trim(0, 20);
            session.Run([.. SessionModels.Rows(tokens, 9, 2, sequence: 1), .. rows], 1, new ChainRange(0, all));
            for (var i = 0; i < rows.Length; i++)
                CollectionAssert.AreEqual(expected[i], session.Logits(3 + i).ToArray(), $"row {i} of many, {dtype}");

            // Drafted by the first chain, then verified by the others.
            session.Trim(0, 20);
            for (var i = 0; i < rows.Length; i++)
                session.Run([rows[i]], i, new ChainRange(0, 1));
            session.Run(rows, 0, new ChainRange(1, all));
            for (var i = 0; i < rows.Length; i++)
                CollectionAssert.AreEqual(expected[i], session.Logits(i).ToArray(), $"row {i} verified, {dtype}");
        }
    }

    [TestMethod]
    [DataRow(false)]
    [DataRow(true)]
    public void ARowIsTheSameToTheBitWithAnyNumberOfThreads(bool kvSharing)
    {
        using var model = SessionModels.Create("96,48", kvSharing, float32);
        var tokens = SessionModels.Tokens(model, 25);
        var threads = get_num_threads();
        try
        {
            List<float[]> logits = [.. new[] { 1, 2, 3 }.Select(count =>
            {
                set_num_threads(count);
                using var session = DecodingSession.Create(model, 1, tokens.Length);
                session.Prefill(0, tokens.AsSpan(0, 12), chainCount: 2);
                session.Run(SessionModels.Rows(tokens, 12, 13), 0, new ChainRange(0, 2));
                return session.Logits(12).ToArray();
            })];
            CollectionAssert.AreEqual(logits[0], logits[1], "two threads");
            CollectionAssert.AreEqual(logits[0], logits[2], "three threads");
        }
        finally
        {
            set_num_threads(threads);
        }
    }

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void APromptMayComeInPieces(string chains, bool kvSharing, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var model = SessionModels.Create(chains, kvSharing, dtype);
        var (tokens, all) = (SessionModels.Tokens(model, 50), model.Config.Layout.ChainCount);
        var reference = SessionModels.Reference(model, tokens, all);
        using var session = DecodingSession.Create(model, 1, tokens.Length);
        foreach (var (first, end) in new[] { (0, 1), (1, 17), (17, 24), (24, 49) })
            session.Prefill(0, tokens.AsSpan(first, end - first), all);
        session.Run(SessionModels.Rows(tokens, 49, 1), 0, new ChainRange(0, all));
        SessionModels.Near(reference[^1], session.Logits(0), SessionModels.Tolerance(dtype, reference));
    }

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void GoingUpComputesTheMissingKeysAndNothingElse(string chains, bool kvSharing, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var model = SessionModels.Create(chains, kvSharing, dtype);
        var all = model.Config.Layout.ChainCount;
        if (all == 1)
            return;
        var (length, tokens) = (PromptLength + RestOfPrompt, SessionModels.Tokens(model, PromptLength + RestOfPrompt + 4));
        var reference = SessionModels.Reference(model, tokens, all);
        using var session = DecodingSession.Create(model, 1, tokens.Length, mayGrow: true);
        session.Prefill(0, tokens.AsSpan(0, PromptLength), 1);
        session.Prefill(0, tokens.AsSpan(PromptLength, RestOfPrompt), 1);
        foreach (var row in SessionModels.Rows(tokens, length, 3))
            session.Run([row], 0, new ChainRange(0, 1));
        session.Grow(0, all);
        session.Run(SessionModels.Rows(tokens, length + 3, 1), 0, new ChainRange(0, all));
        SessionModels.Near(reference[^1], session.Logits(0), SessionModels.Tolerance(dtype, reference));

        // Every chain once for every token without sharing; with it, the first alone has keys and values.
        for (var chain = 0; chain < all; chain++)
        {
            var everyToken = chain == 0 || !kvSharing;
            Assert.AreEqual(chain == 0 || !kvSharing ? tokens.Length : 0, session.KeyValuesComputed[chain], $"keys of {chain}");
            Assert.AreEqual(everyToken ? tokens.Length : 1, session.FeaturesComputed[chain], $"features of {chain}");
        }
    }

    [TestMethod]
    public void ASessionThatMayNotGrowSaysSo()
    {
        using var model = SessionModels.Create("4,4,2", kvSharing: false, float32);
        using var session = DecodingSession.Create(model, 1, 10);
        session.Prefill(0, [1, 2, 3], 1);
        Assert.ThrowsExactly<InvalidOperationException>(() => session.Grow(0, 2));
    }

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void TrimmedTokensLeaveNoTrace(string chains, bool kvSharing, ScalarType dtype)
    {
        using var model = SessionModels.Create(chains, kvSharing, dtype);
        var (tokens, all) = (SessionModels.Tokens(model, 40), model.Config.Layout.ChainCount);
        var row = SessionModels.Rows(tokens, 20, 1);
        using var session = DecodingSession.Create(model, 1, 64);
        session.Prefill(0, tokens.AsSpan(0, 20), all);
        session.Run(row, 0, new ChainRange(0, all));
        var expected = session.Logits(0).ToArray();
        session.Prefill(0, tokens.AsSpan(5, 30), all);
        session.Trim(0, 20);
        session.Run(row, 0, new ChainRange(0, all));
        CollectionAssert.AreEqual(expected, session.Logits(0).ToArray());
    }

    [TestMethod]
    [DataRow(ScalarType.Float32)]
    [DataRow(ScalarType.Float16)]
    public void ACancelledPromptLeavesWholeChunks(ScalarType dtype)
    {
        using var model = SessionModels.Create("4,4,2", kvSharing: true, dtype);
        using var session = DecodingSession.Create(model, 1, 64);
        using var cancelled = new CancellationTokenSource();
        session.Prefill(0, [1, 2, 3], 1, cancellation: cancelled.Token);
        cancelled.Cancel();
        Assert.ThrowsExactly<OperationCanceledException>(() => session.Prefill(0, [4, 5], 1, cancellation: cancelled.Token));
        Assert.AreEqual(3, session.Length(0));
    }

    [TestMethod]
    [DataRow(ScalarType.Float32)]
    [DataRow(ScalarType.Float16)]
    public void SessionsLeaveNoTensorBehind(ScalarType dtype)
    {
        using var model = SessionModels.Create("4,4,2", kvSharing: false, dtype);
        Use();
        var before = LiveTensors.CountSettled();
        Use();
        Assert.AreEqual(before, LiveTensors.Count);

        void Use()
        {
            using var session = DecodingSession.Create(model, 1, 64, mayGrow: true);
            session.Prefill(0, [1, 2, 3, 4, 5], 1);
            session.Run([new(0, 5, 6)], 0, new ChainRange(0, 1));
            session.Grow(0, 3);
            session.Run([new(0, 6, 7)], 0, new ChainRange(0, 3));
            _ = session.Logits(0);
        }
    }

    [TestMethod]
    [DataRow("4,4,2")]
    [DataRow("96,48")]
    public void DecodingAllocatesNothing(string chains)
    {
        using var model = SessionModels.Create(chains, kvSharing: true, float32);
        using var session = DecodingSession.Create(model, 1, 64);
        var rows = new DecodingRow[1];
        Step(4);
        var before = GC.GetAllocatedBytesForCurrentThread();
        Step(20);
        // The list of the sequence's tokens grows now and then.
        Assert.IsLessThan(1000, GC.GetAllocatedBytesForCurrentThread() - before);

        void Step(int count)
        {
            for (var i = 0; i < count; i++)
            {
                rows[0] = new(0, session.Length(0), i);
                session.Run(rows, 0, new ChainRange(0, model.Config.ChainCount));
                _ = session.Logits(0);
            }
        }
    }
}
