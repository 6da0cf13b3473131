using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using Microsoft.ML.CoLM.Tests.Interop;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Inference;

/// <summary>The session that runs on libtorch, as it is on every device, beside the modules without a cache.</summary>
[TestClass, DoNotParallelize]
public sealed class ModuleSessionTests
{
    // In bfloat16, what a narrow model's features are rounded by is a few percent of its logits: there float16 tells more.
    public static IEnumerable<object[]> Models => SessionModels.All.Where(model => (ScalarType)model[2] != bfloat16 || (string)model[0] == "96,48");

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void RowsOfAnySequencesRunTogether(string chains, bool kvSharing, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var model = SessionModels.Create(chains, kvSharing, dtype);
        var all = model.Config.Layout.ChainCount;
        int[] prompts = [70, 3, 61];
        int[][] tokens = [.. prompts.Select((prompt, i) => SessionModels.Tokens(model, prompt + 20, seed: i))];
        Tensor[] references = [.. tokens.Select(own => SessionModels.Reference(model, own, all))];
        double[] tolerances = [.. tokens.Zip(references, (own, reference) => Tolerance(model, own, reference))];
        using var session = Create(model, prompts.Length);
        for (var sequence = 0; sequence < prompts.Length; sequence++)
            session.Prefill(sequence, tokens[sequence].AsSpan(0, prompts[sequence]), all);

        // Neighbours, all rows of one, sequences with a gap between them, several rows of some, and out of order.
        Run((0, 1), (1, 1), (2, 1));
        Run((1, 1), (2, 1));
        Run((1, 5));
        Run((0, 1), (2, 1));
        Run((1, 2), (0, 6), (2, 3));
        Run((2, 1), (0, 1));

        void Run(params (int Sequence, int Count)[] parts)
        {
            DecodingRow[] rows = [.. parts.SelectMany(part =>
                SessionModels.Rows(tokens[part.Sequence], session.Length(part.Sequence), part.Count, part.Sequence))];
            session.Run(rows, firstSlot: 2, new ChainRange(0, all));
            for (var i = 0; i < rows.Length; i++)
            {
                var (sequence, position, _) = rows[i];
                SessionModels.Near(references[sequence][position], session.Logits(2 + i), tolerances[sequence],
                    $"{rows[i]} of {string.Join(", ", parts)}");
            }
        }
    }

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void LaterChainsGoOnFromWhatEarlierOnesLeft(string chains, bool kvSharing, ScalarType dtype)
    {
        using var scope = NewDisposeScope();
        using var model = SessionModels.Create(chains, kvSharing, dtype);
        var (tokens, all) = (SessionModels.Tokens(model, 24), model.Config.Layout.ChainCount);
        var reference = SessionModels.Reference(model, tokens, all);
        using var session = Create(model);
        session.Prefill(0, tokens.AsSpan(0, 20), all);
        var rows = SessionModels.Rows(tokens, 20, 4);
        for (var slot = 0; slot < rows.Length; slot++)
            session.Run([rows[slot]], slot, new ChainRange(0, 1));
        for (var chain = 1; chain < all; chain++)
            session.Run(rows, 0, new ChainRange(chain, chain + 1));
        for (var slot = 0; slot < rows.Length; slot++)
            SessionModels.Near(reference[20 + slot], session.Logits(slot), Tolerance(model, tokens, reference));
    }

    // Float16's cache grows in every session; the first row comes when it is full.
    [TestMethod]
    [DataRow(true, false)]
    [DataRow(false, false)]
    [DataRow(false, true)]
    public void RowsGoOnWhereTheCacheGrew(bool kvSharing, bool mayGrow)
    {
        using var scope = NewDisposeScope();
        using var model = SessionModels.Create("4,4,2", kvSharing, float16);
        using var session = DecodingSession.Create(model, 2, 600, mayGrow);
        var tokens = SessionModels.Tokens(model, 300);
        var reference = SessionModels.Reference(model, tokens, chainCount: 3);
        foreach (var sequence in (int[])[0, 1])
        {
            session.Prefill(sequence, tokens.AsSpan(0, 250), 3);
            foreach (var row in SessionModels.Rows(tokens, 250, 20, sequence))
            {
                session.Run([row], 0, new ChainRange(0, 3));
                SessionModels.Near(reference[row.Position], session.Logits(0), SessionModels.Tolerance(float16, reference), $"{row}");
            }
        }
    }

    public static IEnumerable<object[]> Scalings =>
        from scaling in new RopeScaling[]
        {
            new DynamicRopeScaling(factor: 4, originalContextLength: 24), new YarnRopeScaling(4, 24), new LinearRopeScaling(4, 24),
            new Llama3RopeScaling(4, 1, 4, 24),
        }
        from kvSharing in new[] { true, false }
        select new object[] { scaling.GetType().Name, scaling, kvSharing };

    [TestMethod]
    [DynamicData(nameof(Scalings))]
    public void AnglesAreThoseOfTheCpusSession(string name, RopeScaling scaling, bool kvSharing)
    {
        using var model = TestModels.Random(
            TestModels.Config(4, 2) with { KvSharing = kvSharing, ContextLength = 96, RopeScaling = scaling });
        var tokens = SessionModels.Tokens(model, 60);
        using var session = Create(model, sequenceCount: 2, capacity: 96);
        using var own = DecodingSession.Create(model, 2, 96);
        foreach (var one in (IDecodingSession[])[session, own])
        {
            one.Prefill(0, tokens.AsSpan(0, 18), 2);
            one.Prefill(1, tokens.AsSpan(5, 2), 2);
        }
        // The first sequence becomes longer than the original context, the second does not.
        for (var i = 0; i < 20; i++)
        {
            DecodingRow[] rows = [new(0, 18 + i, tokens[18 + i]), new(1, 2 + i, tokens[7 + i])];
            session.Run(rows, 0, new ChainRange(0, 2));
            own.Run(rows, 0, new ChainRange(0, 2));
            for (var slot = 0; slot < rows.Length; slot++)
            {
                using var expected = tensor(own.Logits(slot).ToArray());
                // Both may be as far from the exact ones, on either side.
                SessionModels.Near(
                    expected, session.Logits(slot), 2 * SessionModels.Tolerance(float32, expected), $"{name}, {rows[slot]}");
            }
        }
    }

    [TestMethod]
    [DynamicData(nameof(Models))]
    public void TheLargestLogitsAreFoundWithoutACopyOfAll(string chains, bool kvSharing, ScalarType dtype)
    {
        using var model = SessionModels.Create(chains, kvSharing, dtype);
        using var session = Create(model);
        session.Prefill(0, [1, 2, 3], 1);
        session.Run([new(0, 3, 4), new(0, 4, 5), new(0, 5, 6)], firstSlot: 4, new ChainRange(0, 1));
        var found = new LargestLogit[2];
        Assert.IsTrue(session.TryFindLargest(firstSlot: 5, found));
        for (var i = 0; i < found.Length; i++)
        {
            var logits = session.Logits(5 + i).ToArray();
            var largest = logits.Max();
            Assert.AreEqual(Array.IndexOf(logits, largest), found[i].Token);
            Assert.AreEqual(largest, found[i].Logit);
            Assert.AreEqual(1 / logits.Sum(logit => Math.Exp(logit - largest)), found[i].Probability, 1e-5);
        }
    }

    // Float16 has many equal logits, of which the order matters.
    [TestMethod]
    [DataRow(ScalarType.Float32, 1000)]
    [DataRow(ScalarType.Float16, 1000)]
    [DataRow(ScalarType.Float16, 1024)]
    public void CandidatesGiveTheDistributionThatAllLogitsGive(ScalarType dtype, int vocabulary)
    {
        using var model = TestModels.Random(TestModels.Config(4) with { VocabularySize = vocabulary }, dtype: dtype);
        using var session = Create(model, capacity: 60);
        session.Run([new(0, 0, 4), new(0, 1, 5), new(0, 2, 6)], firstSlot: 4, new ChainRange(0, 1));
        var sampler = new TokenSampler(new() { Temperature = 0.9, TopK = 12, TopP = 0.9 }, vocabulary);
        var candidates = new LogitCandidates();
        Assert.IsTrue(session.TryFindCandidates(5, 2, sampler.CandidateCount, TokenDistribution.BlockSize, candidates));
        for (var row = 0; row < 2; row++)
        {
            var (expected, actual) = (new TokenDistribution(), new TokenDistribution());
            sampler.Fill(expected, session.Logits(5 + row), history: null);
            sampler.Fill(actual, candidates, row);
            CollectionAssert.AreEqual(expected.Ids.ToArray(), actual.Ids.ToArray());
            CollectionAssert.AreEqual(expected.Weights.ToArray(), actual.Weights.ToArray());
        }
        Assert.IsFalse(session.TryFindCandidates(5, 2, count: 17, TokenDistribution.BlockSize, candidates), "More than blocks.");
    }

    [TestMethod]
    [DataRow(0f)]
    [DataRow(float.NaN)]
    public void OfEqualLogitsTheFirstIsTheLargestAndNaNIsSaid(float weight)
    {
        using var model = SessionModels.Create("4", kvSharing: true, float32);
        using (no_grad())
        {
            foreach (var (name, parameter) in model.named_parameters())
            {
                if (name.StartsWith("lm_head.", StringComparison.Ordinal))
                    parameter.fill_(weight);
            }
        }
        using var session = Create(model);
        session.Run([new(0, 0, 4)], 0, new ChainRange(0, 1));
        var found = new LargestLogit[1];
        Assert.IsTrue(session.TryFindLargest(0, found));
        Assert.AreEqual((0, weight), (found[0].Token, found[0].Logit));
    }

    [TestMethod]
    // Of one chain: two norms, seven products, the turn, the cache's write, attention, the copy of what it gives, and the
    // activation and its product. Where there are more chains, norms are copied to where later ones read them.
    [DataRow("4", 1, 1, 15)]
    [DataRow("4", 1, 12, 15)]
    [DataRow("4,2", 1, 1, 17)]
    [DataRow("4,2", 2, 1, 29)]
    [DataRow("4,4,2", 3, 1, 41)]
    public void ALayerIsFewOperatorsOfOneCall(string layout, int chainCount, int rowCount, int expected)
    {
        if (!OperatorCalls.CanBeCounted)
            Assert.Inconclusive("This test counts operators by a hook of libtorch's profiler, whose names and calls are those of Linux on x64: it needs such a machine.");
        var counts = new[] { 2, 3 }.Select(layerCount =>
        {
            using var model = TestModels.Random(TestModels.Config([.. ChainLayout.Parse(layout).Heads]) with
            {
                LayerCount = layerCount,
                KvSharing = true,
            });
            using var session = Create(model, capacity: 60);
            session.Prefill(0, [1, 2, 3], 1);
            // Views are made by the first pass.
            session.Run(Rows(3), 0, new ChainRange(0, chainCount));
            return OperatorCalls.Of(() => session.Run(Rows(3 + rowCount), 0, new ChainRange(0, chainCount)));
        }).ToArray();
        Assert.AreEqual(expected, counts[1].Count - counts[0].Count, string.Join(' ', counts[1]));

        DecodingRow[] Rows(int start) => [.. Enumerable.Range(start, rowCount).Select(position => new DecodingRow(0, position, 4))];
    }

    // libtorch rounds features after every operation, which the CPU's kernels keep in float32: in bfloat16 a session may be as
    // far from the exact logits as the modules are in that type, in other orders of summation half as far again.
    private static double Tolerance(CoLMModel model, int[] tokens, Tensor reference)
    {
        var tolerance = SessionModels.Tolerance(model.DataType, reference);
        if (model.DataType != bfloat16)
            return tolerance;
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var ids = tensor(Array.ConvertAll(tokens, token => (long)token)).unsqueeze(0);
        var modules = model.forward(ids, model.Config.Layout.ChainCount)[0];
        return Math.Max(tolerance, 1.5 * TensorAssert.MaxDifference(reference, modules));
    }

    private static IDecodingSession Create(CoLMModel model, int sequenceCount = 1, int capacity = 200) => DecodingSession.Create(
        model, new KvCache(model, Math.Min(capacity, model.Config.ContextLength), sequenceCount, isBlocked: false),
        ownsCache: true, mayGrow: false);
}
