using Microsoft.ML.CoLM.Chains;
using Microsoft.ML.CoLM.Generation;
using Microsoft.ML.CoLM.Inference;
using static TorchSharp.torch;

namespace Microsoft.ML.CoLM.Tests.Inference;

/// <summary>Which passes are left to one thread.</summary>
[TestClass, DoNotParallelize]
public sealed class RangePlanTests
{
    [TestMethod]
    [DataRow("4,4,2", 0, 3, true)]
    [DataRow("40,80", 0, 1, true)]
    [DataRow("40,80", 1, 2, false)]
    [DataRow("40,80", 0, 2, false)]
    [DataRow("96,48", 0, 1, false)]
    [DataRow("96,48", 1, 2, false)]
    public void AModelsWidthDecides(string chains, int first, int end, bool suitsOneThread) =>
        Assert.AreEqual(suitsOneThread, SuitsOneThread(chains, new ChainRange(first, end), [new(0, 20, 1)]));

    [TestMethod]
    public void LongSequencesAreReadByAllThreads()
    {
        var chains = new ChainRange(0, 1);
        Assert.IsFalse(SuitsOneThread("40,80", chains, [new(0, 1050, 1)]));
        Assert.IsFalse(SuitsOneThread("40,80", chains, [new(0, 525, 1), new(1, 525, 1)]));
        // Rows of one sequence read the same keys and values.
        Assert.IsTrue(SuitsOneThread("40,80", chains, [new(0, 525, 1), new(0, 526, 1)]));
    }

    private static bool SuitsOneThread(string chains, ChainRange range, DecodingRow[] rows)
    {
        using var model = SessionModels.Create(chains, kvSharing: true, float32);
        using var weights = new InferenceWeights(model);
        return new RangePlan(weights, range, threads: 2).SuitsOneThread(rows, needsLogits: true);
    }
}
