using Microsoft.ML.CoLM.Tests.Checkpoints;
using Microsoft.ML.CoLM.Tests.Kernels;

namespace Microsoft.ML.CoLM.Tests.Training;

/// <summary>What multiplies matrices is decided once for a training, and for all its ranks.</summary>
[TestClass, DoNotParallelize]
public sealed class TrainedProductsTests
{
    private const int Steps = 6;

    [TestMethod]
    [DataRow("expansion")]
    [DataRow("expansion in bfloat16")]
    public void ATrainingGoesOnWithWhatMultipliedBefore(string kind)
    {
        var expected = Train(kind, MatrixLibrary.LibTorch);
        var others = Train(kind, MatrixLibrary.CoLM);
        CollectionAssert.AreNotEqual(others.Weights, expected.Weights, "Whoever multiplies leaves the same bits: nothing is tested here.");
        using var folder = new TemporaryFolder();
        Assert.ThrowsExactly<InvalidOperationException>(
            () => Train(kind, MatrixLibrary.LibTorch, folder.Path, step => _ = step == 4 ? throw new InvalidOperationException("It is dead.") : 0));
        CollectionAssert.AreEqual(expected.Weights, Train(kind, MatrixLibrary.CoLM, folder.Path).Weights);
    }

    [TestMethod]
    public void AllRanksMultiplyAsTheFirstOneDoes()
    {
        var expected = Train("expansion", MatrixLibrary.LibTorch, passes: 2);
        var found = ThreadRanks.Run(2, communicator =>
            Train("expansion", communicator.Rank == 0 ? MatrixLibrary.LibTorch : MatrixLibrary.CoLM, passes: 2, communicator: communicator));
        foreach (var ranked in found)
            CollectionAssert.AreEqual(expected.Weights, ranked.Weights);
    }

    private static RankedTraining.Outcome Train(string kind, MatrixLibrary library, string? folder = null, Action<int>? atStep = null,
        int passes = 1, Communicator? communicator = null)
    {
        using var products = Multiplied.By(library);
        return RankedTraining.Kinds[kind](new MLContext(), new(Steps, passes, communicator, folder, atStep));
    }
}
