using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Kernels;
using Microsoft.ML.CoLM.Modules;
using TorchSharp;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Modules;

[TestClass, DoNotParallelize]
public sealed class LastFeaturesTests
{
    private static readonly int[][] Sequences = [[1, 2, 3, 4, 5, 6, 7], [8], [9, 10, 11], [12, 13, 14, 15, 16]];

    private static readonly CoLMConfig Config = TestModels.Config(4, 2, 4) with { KvSharing = true };

    [TestMethod]
    [DataRow(1, 2)]
    [DataRow(1, 3)]
    [DataRow(2, 3)]
    public void LaterChainsAtTheLastTokensAreThoseOfAWholePass(int first, int end)
    {
        using var model = TestModels.Random(Config);
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var batch = new PaddedBatch(Sequences);
        var (ids, rows, chains) = (batch.TokenIds(CPU), batch.LastRows(CPU), new ChainRange(first, end));
        using var whole = model.Keep(ids, first, rows: null);
        var expected = model.Features(ids, chains, whole).index_select(0, rows);
        using var earlier = model.Keep(ids, first, rows);
        TensorAssert.Near(expected, model.LastFeatures(batch, chains, earlier), 1e-5, $"chains {first} to {end}");
        TensorAssert.SameBits(whole.HeadInput!.index_select(0, rows), earlier.HeadInput!);
    }

    [TestMethod]
    public void GradientsAreThoseOfAWholePass()
    {
        using var model = TestModels.Random(Config);
        var batch = new PaddedBatch(Sequences);
        var chains = new ChainRange(1, 3);
        var expected = Gradients(prefix => model.Features(batch.TokenIds(CPU), chains, prefix)
            .index_select(0, batch.LastRows(CPU)), rows: null);
        var actual = Gradients(prefix => model.LastFeatures(batch, chains, prefix), batch.LastRows(CPU));
        Assert.IsNotEmpty(expected);
        CollectionAssert.AreEquivalent(expected.Keys, actual.Keys);
        foreach (var (name, values) in expected)
        {
            for (var i = 0; i < values.Length; i++)
                Assert.AreEqual(values[i], actual[name][i], 1e-4f * Math.Max(1, Math.Abs(values[i])), name);
        }

        Dictionary<string, float[]> Gradients(Func<ChainFeatures, Tensor> features, Tensor? rows)
        {
            using var scope = NewDisposeScope();
            using var prefix = Prefix(rows);
            features(prefix).pow(2).sum().backward();
            BackwardResults.Release();
            var found = model.named_parameters().Where(entry => entry.parameter.grad is not null)
                .ToDictionary(entry => entry.name, entry => entry.parameter.grad!.data<float>().ToArray());
            model.zero_grad();
            foreach (var parameter in model.parameters())
                parameter.grad = null;
            return found;
        }

        ChainFeatures Prefix(Tensor? rows)
        {
            using var noGradients = no_grad();
            return model.Keep(batch.TokenIds(CPU), 1, rows);
        }
    }

    [TestMethod]
    public void PaddingMakesNoDifference()
    {
        using var model = TestModels.Random(Config);
        using var noGradients = no_grad();
        using var scope = NewDisposeScope();
        var together = Last(model, Sequences);
        for (var i = 0; i < Sequences.Length; i++)
            TensorAssert.Near(Last(model, [Sequences[i]]), together.narrow(0, i, 1), 1e-5, $"sequence {i}");
    }

    private static Tensor Last(CoLMModel model, int[][] sequences)
    {
        var batch = new PaddedBatch(sequences);
        using var earlier = model.Keep(batch.TokenIds(CPU), 1, batch.LastRows(CPU));
        return model.LastFeatures(batch, new ChainRange(1, 3), earlier);
    }
}
